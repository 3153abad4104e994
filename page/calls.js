// What the page asks of the service, and a record of it for the second view. The path of the page says where the service is.

const at = (path) => new URL(path, document.baseURI);
// Tokens are renewed when they have this left, so that none ends on its way.
const TOKEN_MARGIN_S = 60;
const ANSWER_S = 30;

/** A refusal, or no answer at all: then `status` is 0. */
export class Refused extends Error {
  constructor(status, error, message, retryAfterS = null) {
    super(message);
    this.status = status;
    this.error = error;
    this.retryAfterS = retryAfterS;
  }
}

export class Service {
  constructor(log) {
    this.log = log; // (direction, what, content): see `Log`
    this.token = null;
    this.tokenEndsAt = 0;
    this.signingIn = null;
  }

  /** The client's id and key: in this tab's memory only. */
  get credentials() {
    return JSON.parse(sessionStorage.getItem("credentials")) ?? { secret_id: "demo", secret_key: "demo-secret" };
  }

  set credentials(pair) {
    sessionStorage.setItem("credentials", JSON.stringify(pair));
    this.token = null;
  }

  /** Return an access token that still holds for a while. */
  async signedIn() {
    if (this.token && Date.now() < this.tokenEndsAt) return this.token;
    this.signingIn ??= this.send("POST", "auth/token", this.credentials, {}).finally(() => {
      this.signingIn = null;
    });
    const tokens = await this.signingIn;
    this.token = tokens.access_token;
    this.tokenEndsAt = Date.now() + 1000 * Math.max(1, tokens.expires_in - TOKEN_MARGIN_S);
    return this.token;
  }

  /** Ask, and return the answer's data. Throws Refused. */
  async ask(method, path, body) {
    const token = await this.signedIn();
    try {
      return await this.send(method, path, body, { Authorization: `Bearer ${token}` });
    } catch (error) {
      if (error.status !== 401) throw error;
      this.token = null; // the server was started anew, with another secret
      return this.send(method, path, body, { Authorization: `Bearer ${await this.signedIn()}` });
    }
  }

  async send(method, path, body, headers) {
    this.log.add("out", `${method} ${at(path).pathname}`, concealed(body));
    const began = performance.now();
    let response;
    let answer;
    try {
      response = await fetch(at(path), {
        method,
        headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_S * 1000),
      });
      answer = await response.json();
    } catch {
      this.log.add("in", `${method} ${at(path).pathname}: no answer`);
      throw new Refused(0, "NO_ANSWER", "");
    }
    const tookMs = Math.round(performance.now() - began);
    this.log.add("in", `${response.status} ${at(path).pathname}, ${tookMs} ms`, concealed(answer));
    if (!response.ok) throw refusalOf(answer, response.headers.get("Retry-After"));
    return answer.data;
  }

  /** Tell whether the service can hear yet. */
  async ready() {
    try {
      const response = await fetch(at("../../readiness"), { signal: AbortSignal.timeout(ANSWER_S * 1000) });
      return { answered: true, ready: response.ok, checks: (await response.json()).data.checks ?? {} };
    } catch {
      return { answered: false, ready: false, checks: {} };
    }
  }

  /** Begin to stream. The socket is a plain WebSocket, whose frames are recorded. */
  async openLive(query) {
    const token = await this.signedIn();
    const url = at("voice/live");
    url.protocol = url.protocol.replace("http", "ws");
    for (const [name, value] of Object.entries(query)) {
      if (value) url.searchParams.set(name, value);
    }
    const socket = new WebSocket(url, ["bearer", token]);
    socket.binaryType = "arraybuffer";
    this.log.add("out", `WebSocket ${url.pathname}${url.search}`);
    socket.addEventListener("message", ({ data }) => {
      const frame = JSON.parse(data);
      this.log.add("in", `${frame.data.type} frame, ${data.length} characters`, frame);
    });
    socket.addEventListener("close", ({ code, reason }) => this.log.add("in", `closed: ${code}${reason ? ` ${reason}` : ""}`));
    return socket;
  }

  sendFrame(socket, frame) {
    socket.send(JSON.stringify(frame));
    this.log.add("out", `${frame.type} frame`, frame);
  }

  sendSound(socket, sound) {
    socket.send(sound);
    this.log.addSound(sound.byteLength);
  }
}

export function refusalOf({ code, msg, data }, retryAfter) {
  const retryAfterS = Number.parseInt(retryAfter ?? data.retry_after_s, 10);
  return new Refused(code, data.error, msg, Number.isNaN(retryAfterS) ? null : retryAfterS);
}

/** Keys and tokens are not for show: somebody may be looking over the shoulder. */
function concealed(body) {
  return body === undefined
    ? undefined
    : JSON.parse(JSON.stringify(body, (name, value) => (/^(secret_key|access_token|refresh_token)$/.test(name) ? "…" : value)));
}

// Older entries make room: a talk of some minutes.
const MAX_ENTRIES = 400;

/** What went out and came in, newest last. Sound is counted, not kept. */
export class Log {
  constructor() {
    this.onChange = () => {};
    this.entries = [];
    this.next = 0;
  }

  add(direction, what, content) {
    this.entries.push({ id: this.next, at: new Date(), direction, what, content });
    this.next += 1;
    if (this.entries.length > MAX_ENTRIES) this.entries.shift();
    this.onChange();
  }

  addSound(nBytes) {
    const last = this.entries.at(-1);
    if (!last?.sound) {
      this.add("out", "", undefined);
      this.entries.at(-1).sound = { frames: 0, bytes: 0 };
    }
    const entry = this.entries.at(-1);
    entry.sound.frames += 1;
    entry.sound.bytes += nBytes;
    entry.what = `sound, ${entry.sound.frames} × ${nBytes} bytes`;
    this.onChange();
  }

  clear() {
    this.entries = [];
    this.onChange();
  }
}
