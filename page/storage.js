// Values that outlast the page. Browsers deny some pages their storage; the values then last as long as the page.

export class BrowserStorage {
  /** `areaOf` returns localStorage or sessionStorage; reading those may throw. `prefix` distinguishes several orderings of a site. */
  constructor(areaOf, prefix = "") {
    this.prefix = prefix;
    this.values = new Map();
    try {
      this.area = areaOf();
    } catch {
      this.area = null;
    }
  }

  /** Return a value; null if there is none. */
  get(name) {
    return this.values.get(name) ?? this.area?.getItem(this.prefix + name) ?? null;
  }

  set(name, value) {
    this.values.set(name, value);
    try {
      this.area?.setItem(this.prefix + name, value);
    } catch {
      // full: the value is lost with the page
    }
  }
}
