// A client of the protocol odds.v1: connects, subscribes, resumes after every disconnect, and passes messages on.
//
// What it does after each refusal, closing code and loss is one table (recovery.js, docs/protocol.md).

import {
  ASK_TOKEN, GIVE_UP, RESTART, RESTRAIN, TIMING, WAIT, actionOf, backoff, codeOfClosing, codeOfError, codeOfStatus, profileOf,
  renewInMs, retryAfterMs,
} from "./recovery.js";
import { Subscriptions } from "./subscriptions.js";

// Heartbeat intervals without a message after which everything is stale, and after which the connection is given up.
const STALE_HEARTBEATS = 1.5;
const SILENT_HEARTBEATS = 2.5;
// A longer timer fires at once.
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * @typedef {object} Problem what keeps the client from current data
 * @property {string} code a row of the table in docs/protocol.md
 * @property {string} text what happened, for people
 * @property {number} [retryMs] when the client tries again; undefined if it has given up, or waits for another token
 * @property {string[]} channels the channels concerned; empty if it is the connection
 */

/**
 * @typedef {object} Listener
 * @property {(message: object) => void} message receives the gateway's messages, and what the client itself knows in the same form:
 *   `lost`, `silent` (`since`, Unix milliseconds) and `heard` of the connection, `refused` (`channel`, `code`, `message`) of a channel
 *   that is not to be shown. An OddsStore applies all of them
 * @property {(state: string, detail?: string) => void} state receives `connecting`, `live`, `reconnecting`, `refused` (another token
 *   is needed: `start` again) and `failed` (it has given up)
 * @property {() => void} [refused] is called when another token is needed
 * @property {(problem: Problem) => void} [problem] is called with everything that keeps the client from current data
 */

export class OddsClient {
  #generation = 0;
  #renewal;
  #silence;
  #sending;
  #retry;
  #token;
  #refusedToken;
  // connections in a row that failed or did not last
  #lost = 0;
  #refusals = 0;
  #reconnectMs;
  #welcomedAt;
  #heardMs = 0;
  #heartbeatMs;
  #authenticating = false;
  #silent = false;
  #pings = new Map();
  #nextPing = 1;

  /**
   * @param {string} url the stream's URL, ws: or wss:
   * @param {string[]} channels the channels to subscribe to
   * @param {Listener} listener receives messages, connection states and problems
   * @param {() => string | undefined | Promise<string | undefined>} token returns the token; called for each connection, before a
   *   token expires, and after one was refused; undefined where none is required
   * @param {{minIntervalMs?: number, format?: string, timing?: object, sleep?: (ms: number, wake: () => void) => unknown}} options
   *   `timing` replaces waits of TIMING; `sleep` calls back after the wait before a reconnect, and returns what `clearTimeout` takes
   */
  constructor(url, channels, listener, token = () => undefined, options = {}) {
    this.url = url;
    this.listener = listener;
    this.token = token;
    this.timing = { ...TIMING, ...options.timing };
    this.sleep = options.sleep ?? ((ms, wake) => setTimeout(wake, ms));
    const request = {};
    if (options.minIntervalMs) request.min_interval_ms = options.minIntervalMs;
    if (options.format && options.format !== "decimal") request.format = options.format;
    this.subscriptions = new Subscriptions(channels, request, this.timing);
    this.stopped = true;
    this.reconnects = 0;
  }

  /** The channels that the client follows. */
  get channels() {
    return this.subscriptions.channels;
  }

  /** channel -> why the gateway refuses it */
  get refused() {
    return new Map([...this.subscriptions.refused].map(([channel, refusal]) => [channel, refusal.text]));
  }

  start() {
    this.stop();
    this.stopped = false;
    this.#lost = this.#refusals = 0;
    this.#refusedToken = undefined;
    this.#connect();
  }

  stop() {
    this.stopped = true;
    this.#disconnect();
    clearTimeout(this.#retry);
  }

  /** Subscribe to a channel. No-op if it is subscribed to. */
  add(channel) {
    if (this.channels.includes(channel)) return;
    this.subscriptions.add(channel);
    this.#sendDue();
  }

  /** Measure the round trip to the gateway; calls `done` with milliseconds. */
  ping(done) {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    const id = `ping-${this.#nextPing++}`;
    this.#pings.clear();
    this.#pings.set(id, { at: performance.now(), done });
    this.#send({ op: "ping", id });
  }

  // -- one connection

  async #connect() {
    const generation = ++this.#generation;
    this.listener.state("connecting");
    let token;
    try {
      token = (await this.token())?.trim() || undefined;
    } catch (error) {
      if (generation === this.#generation) this.#recover("token", `no token: ${error}`);
      return;
    }
    if (generation !== this.#generation) return;
    if (this.#refusedToken?.token === token && token !== undefined) return this.#needToken(this.#refusedToken.code, this.#refusedToken.text);
    this.#refusedToken = undefined;
    if (profileOf(token) !== profileOf(this.#token)) this.subscriptions.forgetPositions();
    this.#token = token;
    this.#open(generation);
  }

  #open(generation) {
    this.#welcomedAt = undefined;
    this.#authenticating = false;
    this.#heartbeatMs = this.timing.welcomeMs / SILENT_HEARTBEATS;
    const socket = new WebSocket(this.url, "odds.v1.json");
    this.socket = socket;
    this.subscriptions.begin();
    let opened = false;
    this.#heard();
    socket.onopen = () => {
      opened = true;
      if (generation === this.#generation) this.#heard();
    };
    socket.onmessage = (event) => {
      if (generation !== this.#generation) return;
      this.#heard();
      let message;
      let refused;
      try {
        message = JSON.parse(event.data);
        refused = this.#receive(message);
      } catch (error) {
        return this.#recover("protocol", `a message that can't be read: ${error}`);
      }
      this.#pass(message, refused);
    };
    // Of a handshake that fails, browsers tell both, Node the first only.
    socket.onerror = () => {
      if (!opened) this.#refuse(generation);
    };
    socket.onclose = (event) => {
      if (!opened) return this.#refuse(generation);
      if (generation !== this.#generation) return;
      this.#recover(codeOfClosing(event.code), `closed with ${event.code}${event.reason ? `: ${event.reason}` : ""}`);
    };
  }

  async #refuse(generation) {
    if (generation !== this.#generation) return;
    this.#disconnect();
    const asking = this.#generation;
    const refusal = await this.#refusal();
    if (asking === this.#generation) this.#recover(refusal.code, refusal.text, refusal.retryAfter);
  }

  /** Ask over HTTP why a handshake failed: a page's socket does not say. The gateway answers as it does to a handshake. */
  async #refusal() {
    try {
      const answer = await fetch(this.url.replace(/^ws/, "http"), { signal: AbortSignal.timeout(this.timing.welcomeMs) });
      const text = await answer.text().catch(() => "");
      const isServed = answer.status === 400 || answer.status === 426; // only the upgrade is missing
      const code = isServed ? "unreachable" : codeOfStatus(answer.status);
      return { code, text: `answered ${answer.status}${messageOf(text)}`, retryAfter: answer.headers.get("Retry-After") };
    } catch {
      return { code: "unreachable", text: "no connection" };
    }
  }

  /** Handle a message, and return the channels that it refuses; undefined if it is of no interest to the listener. */
  #receive(message) {
    switch (message.op) {
      case "welcome":
        if (!(message.heartbeat_ms > 0)) throw new TypeError("no heartbeat_ms");
        this.#heartbeatMs = message.heartbeat_ms;
        this.#heard();
        this.#welcomedAt = performance.now();
        this.#authenticating = this.#token !== undefined;
        if (this.#authenticating) this.#send({ op: "auth", token: this.#token });
        else this.#begin();
        return undefined;
      case "authenticated":
        this.#renewBefore(message.expires_ms);
        this.subscriptions.grant();
        if (this.#authenticating) this.#begin();
        this.#sendDue();
        return undefined;
      case "pong": {
        const ping = this.#pings.get(message.id);
        this.#pings.delete(message.id);
        ping?.done(performance.now() - ping.at);
        return undefined;
      }
      case "bye":
        this.#reconnectMs = Number.isFinite(message.reconnect_ms) ? Math.max(0, message.reconnect_ms) : undefined;
        return undefined;
    }
    if (typeof message.op !== "string") throw new TypeError("no op");
    return this.subscriptions.receive(message, performance.now());
  }

  #pass(message, refused) {
    if (refused === undefined) return;
    this.listener.message(message);
    for (const channel of refused) this.listener.message({ op: "refused", channel, code: message.code, message: message.message });
    if (message.op === "error") this.#reportError(message, refused);
    this.#sendDue();
  }

  #begin() {
    this.#authenticating = false;
    this.listener.state("live");
    this.#sendDue();
  }

  #reportError(message, channels) {
    if (actionOf(codeOfError(message.code)) === GIVE_UP) return this.#giveUp(message.code, message.message, channels);
    const due = channels.length ? this.subscriptions.refused.get(channels[0]).due : Infinity;
    this.#report(message.code, message.message, due === Infinity ? undefined : due - performance.now(), channels);
  }

  #sendDue() {
    clearTimeout(this.#sending);
    if (this.#welcomedAt === undefined || this.#authenticating || this.socket?.readyState !== WebSocket.OPEN) return;
    for (const request of this.subscriptions.due(performance.now())) this.#send(request);
    const next = this.subscriptions.nextDue;
    if (next < Infinity) this.#sending = setTimeout(() => this.#sendDue(), Math.max(0, next - performance.now()));
  }

  #send(message) {
    this.socket.send(JSON.stringify(message));
  }

  #heard() {
    this.#heardMs = Date.now();
    if (this.#silent) this.#mark("heard");
    this.#silent = false;
    this.#watchSilence(STALE_HEARTBEATS, () => {
      this.#silent = true;
      this.#mark("silent");
      this.#watchSilence(SILENT_HEARTBEATS - STALE_HEARTBEATS, () => {
        const [code, text] = this.#welcomedAt === undefined ? ["protocol", "no welcome"] : ["silence", "no message"];
        this.#recover(code, text);
      });
    });
  }

  #watchSilence(heartbeats, late) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(late, this.#heartbeatMs * heartbeats);
  }

  #mark(op) {
    this.listener.message({ op, since: this.#heardMs });
  }

  /** Close the socket, which is not waited for. */
  #disconnect() {
    this.#generation += 1;
    clearTimeout(this.#silence);
    clearTimeout(this.#sending);
    clearTimeout(this.#renewal);
    this.#silent = false;
    if (!this.socket) return;
    this.socket.close();
    this.socket = undefined;
    this.#mark("lost");
  }

  // -- after a connection

  #recover(code, text, retryAfter) {
    this.#disconnect();
    this.reconnects += 1;
    if (this.#welcomedAt !== undefined && performance.now() - this.#welcomedAt >= this.timing.settledAfterMs) this.#lost = this.#refusals = 0;
    const action = actionOf(code);
    if (action === GIVE_UP) return this.#giveUp(code, text, []);
    if (action === ASK_TOKEN && this.#token === undefined) return this.#needToken(code, text);
    if (action === ASK_TOKEN && code !== "4408") this.#refusedToken = { token: this.#token, code, text };
    else if (action === RESTART) this.subscriptions.forgetPositions();
    else if (action === RESTRAIN) this.subscriptions.restrain(code, text);
    const delay = this.#delay(action, retryAfter);
    this.#report(code, text, delay, []);
    this.listener.state("reconnecting", text);
    this.#retry = this.sleep(delay, () => {
      if (!this.stopped) this.#connect();
    });
  }

  #delay(action, retryAfter) {
    const asked = this.#reconnectMs;
    this.#reconnectMs = undefined;
    if (asked !== undefined) return Math.min(asked, this.timing.maxAskedMs);
    const isRefusal = action === WAIT || action === RESTRAIN;
    const atOnce = this.#refusedToken !== undefined && this.#lost + this.#refusals === 0;
    const delay = atOnce ? 0 : backoff(this.timing, isRefusal ? this.#refusals++ : this.#lost++, isRefusal);
    if (atOnce) this.#lost += 1;
    // The wait is added, so that all who were refused do not come back in the same moment.
    return Math.min(retryAfterMs(retryAfter) ?? 0, this.timing.maxAskedMs) + delay;
  }

  #needToken(code, text) {
    this.stopped = true;
    this.#report(code, text, undefined, []);
    this.listener.state("refused", text);
    this.listener.refused?.();
  }

  #giveUp(code, text, channels) {
    this.stop();
    this.#report(code, text, undefined, channels);
    this.listener.state("failed", text);
  }

  #report(code, text, retryMs, channels) {
    this.listener.problem?.({ code, text, retryMs, channels });
  }

  // -- tokens

  /** Ask for the next token before the present one expires. */
  #renewBefore(expiresMs) {
    clearTimeout(this.#renewal);
    const delay = expiresMs == null ? undefined : renewInMs(this.timing, expiresMs - Date.now());
    if (delay === undefined) return;
    this.#renewal = setTimeout(() => (delay > MAX_TIMER_MS ? this.#renewBefore(expiresMs) : this.#renew(expiresMs)), Math.min(delay, MAX_TIMER_MS));
  }

  /** Send the next token. If there is none yet, ask again while the present one is valid. */
  async #renew(expiresMs) {
    const generation = this.#generation;
    let token;
    try {
      token = (await this.token())?.trim() || undefined;
    } catch (error) {
      this.#report("token", `no token: ${error}`, undefined, []);
    }
    if (generation !== this.#generation || this.socket?.readyState !== WebSocket.OPEN) return;
    if (token === undefined || token === this.#token) return this.#renewBefore(expiresMs);
    this.#token = token;
    this.#send({ op: "auth", token });
  }
}

/** The message of an error answer of a gateway. */
function messageOf(text) {
  try {
    return ` (${JSON.parse(text).error.message})`;
  } catch {
    return "";
  }
}
