// Requests to the service, and a log of them for the developers' view.

// Tokens are renewed so long before they expire, so that none expires in transit.
const TOKEN_MARGIN_S = 60;
const TIMEOUT_S = 30;

/** An error reply of the service, or no reply: `status` is 0 then. */
export class ServiceError extends Error {
  constructor(status, error, message, { retryAfterS = null, errors = [] } = {}) {
    super(message);
    this.status = status;
    this.error = error;
    this.retryAfterS = retryAfterS;
    this.errors = errors; // [{loc, msg, type}] of a 422
  }
}

export class Service {
  /**
   * `base`: the URL that ends in /api/v1/. `fetchToken` returns {token, expiresInS} or throws ServiceError. `log`: a `Log`, or one like it.
   * `signal`: after its abort, replies count as lost.
   */
  constructor({ base, fetchToken, log, signal }) {
    this.base = base;
    this.fetchToken = fetchToken;
    this.log = log;
    this.signal = signal;
    this.forgetToken();
    this.pendingToken = null;
  }

  urlOf(path) {
    return new URL(path, this.base);
  }

  forgetToken() {
    this.token = null;
    this.tokenExpiresAt = 0;
  }

  /** Return an access token that is valid for at least TOKEN_MARGIN_S. */
  async accessToken() {
    if (this.token && Date.now() < this.tokenExpiresAt) return this.token;
    this.pendingToken ??= this.fetchToken().finally(() => {
      this.pendingToken = null;
    });
    const { token, expiresInS } = await this.pendingToken;
    this.token = token;
    this.tokenExpiresAt = Date.now() + 1000 * Math.max(1, expiresInS - TOKEN_MARGIN_S);
    return this.token;
  }

  /** Send a request; return the data of the reply. Throws ServiceError. */
  async request(method, path, body, headers = {}) {
    const token = await this.accessToken();
    try {
      return await this.fetchJson(method, path, body, { ...headers, Authorization: `Bearer ${token}` });
    } catch (error) {
      if (error.status !== 401) throw error;
      this.forgetToken(); // the server has restarted with another secret
      return this.fetchJson(method, path, body, { ...headers, Authorization: `Bearer ${await this.accessToken()}` });
    }
  }

  async fetchJson(method, path, body, headers) {
    this.log.add("out", `${method} ${this.urlOf(path).pathname}`, redacted(body));
    const began = performance.now();
    let response;
    let answer;
    try {
      response = await fetch(this.urlOf(path), {
        method,
        headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_S * 1000),
      });
      answer = await response.json();
      this.signal.throwIfAborted();
    } catch {
      this.log.add("in", `${method} ${this.urlOf(path).pathname}: no answer`);
      throw new ServiceError(0, "NO_ANSWER", "");
    }
    const tookMs = Math.round(performance.now() - began);
    this.log.add("in", `${response.status} ${this.urlOf(path).pathname}, ${tookMs} ms`, redacted(answer));
    if (!response.ok) throw serviceErrorOf(answer, response.headers.get("Retry-After"));
    return answer.data;
  }

  /** Return the checks of the service's readiness; none if it does not answer. */
  async readiness() {
    try {
      const response = await fetch(this.urlOf("../../readiness"), { signal: AbortSignal.timeout(TIMEOUT_S * 1000) });
      return { checks: (await response.json()).data.checks ?? {} };
    } catch {
      return { checks: {} };
    }
  }

  /** Open the live WebSocket; its frames are logged. */
  async openLiveSocket(query) {
    const token = await this.accessToken();
    const url = this.urlOf("voice/live");
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

  sendCommand(socket, frame) {
    socket.send(JSON.stringify(frame));
    this.log.add("out", `${frame.type} frame`, frame);
  }

  sendAudio(socket, audio) {
    socket.send(audio);
    this.log.addAudio(audio.byteLength);
  }
}

export function serviceErrorOf({ code, msg, data }, retryAfter) {
  const retryAfterS = Number.parseInt(retryAfter ?? data.retry_after_s, 10);
  return new ServiceError(code, data.error, msg, { retryAfterS: Number.isNaN(retryAfterS) ? null : retryAfterS, errors: data.errors });
}

/** Replace keys and tokens, which must not be shown on a screen. */
function redacted(body) {
  return body === undefined
    ? undefined
    : JSON.parse(JSON.stringify(body, (name, value) => (/^(secret_key|access_token|refresh_token)$/.test(name) ? "…" : value)));
}

// Some minutes of speaking; older entries are dropped.
const MAX_ENTRIES = 400;

/** The requests, replies and frames, newest last. Audio frames are counted, not stored. */
export class Log {
  constructor() {
    this.onChange = () => {};
    this.entries = [];
    this.next = 0;
  }

  add(direction, title, content) {
    this.entries.push({ id: this.next, at: new Date(), direction, title, content });
    this.next += 1;
    if (this.entries.length > MAX_ENTRIES) this.entries.shift();
    this.onChange();
  }

  addAudio(nBytes) {
    const last = this.entries.at(-1);
    if (!last?.audio) {
      this.add("out", "", undefined);
      this.entries.at(-1).audio = { frames: 0, bytes: 0 };
    }
    const entry = this.entries.at(-1);
    entry.audio.frames += 1;
    entry.audio.bytes += nBytes;
    entry.title = `audio, ${entry.audio.frames} × ${nBytes} bytes`;
    this.onChange();
  }

  clear() {
    this.entries = [];
    this.onChange();
  }
}
