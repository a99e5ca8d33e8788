// A client of the protocol odds.v1: connects, subscribes, resumes after every disconnect, and passes messages on.
//
// What it does after each refusal, closing code and loss is one table (recovery.js, docs/protocol.md).

import { apiUrl, askWhy, describe, isServed, post } from "./http.js";
import { guarded } from "./listeners.js";
import { completed, hasWebSockets, listed, requestOptions, streamUrl } from "./options.js";
import {
  ASK_TOKEN, ConnectTimeout, GIVE_UP, RESTART, RESTRAIN, SseFallback, TIMING, Waits, actionOf, codeOfClosing, codeOfError, codeOfStatus,
} from "./recovery.js";
import { OPEN, OddsSocket } from "./socket.js";
import { EventStreams } from "./sse.js";
import { Subscriptions } from "./subscriptions.js";
import { Tokens } from "./tokens.js";
import { SilenceWatch, watchWake } from "./wake.js";

// Each position of an event stream is a request of its own.
const SSE_RESUMING = 2;

export { streamUrl };

/** Follows channels of one gateway. All options are described in types/index.d.ts. */
export class OddsClient {
  #generation = 0;
  #sending;
  #retry;
  #unwatch;
  #tokens;
  #waits;
  #silence;
  #connectTimeout;
  #sseFallback;
  #welcomedAt;
  #authenticating = false;
  #pings = new Map();
  #nextPing = 1;

  constructor(url, options = {}) {
    const { channels, getToken, onMessage, onState, onProblem, transport, encoding } = completed(options);
    this.url = streamUrl(url);
    this.listener = { message: guarded(onMessage), state: guarded(onState), problem: guarded(onProblem) };
    this.transport = transport;
    this.encoding = encoding;
    this.timing = { ...TIMING, ...options.timing };
    this.sleep = options.sleep ?? ((ms, wake) => setTimeout(wake, ms));
    this.options = { format: options.format, minIntervalMs: options.minIntervalMs };
    this.subscriptions = new Subscriptions(this.timing);
    this.#tokens = new Tokens(
      getToken,
      this.timing,
      (token) => this.#send({ op: "auth", token }),
      (error) => this.#report("token", `no token: ${error}`, undefined, []),
    );
    this.#waits = new Waits(this.timing);
    this.#silence = new SilenceWatch((op) => this.#mark(op), () => this.#giveUpSilent());
    for (const channel of channels) this.subscriptions.add(channel, requestOptions(this.options));
    this.stopped = true;
    this.state = "stopped";
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
    if (this.transport === "websocket" && !hasWebSockets()) throw new TypeError("there is no WebSocket: transport auto does without");
    this.stop();
    this.stopped = false;
    this.#waits = new Waits(this.timing);
    this.#connectTimeout = new ConnectTimeout(this.timing);
    this.#sseFallback = new SseFallback();
    this.#tokens.refused = undefined;
    this.#unwatch = watchWake((why) => this.#check(why));
    this.#connect();
  }

  stop() {
    this.stopped = true;
    this.#unwatch?.();
    this.#disconnect();
    clearTimeout(this.#retry);
    this.#setState("stopped");
  }

  /** Follow channels, with the client's options or others. No-op for those that are followed like that already. */
  subscribe(channels, options = {}) {
    for (const channel of listed(channels)) this.subscriptions.add(channel, requestOptions({ ...this.options, ...options }));
    this.#sendDue();
  }

  /** Follow channels no more. */
  unsubscribe(channels) {
    const gone = listed(channels).filter((channel) => this.subscriptions.options.has(channel));
    if (!gone.length) return;
    const asked = this.subscriptions.remove(gone);
    if (asked.length && this.#canSend) this.#send({ op: "unsubscribe", channels: asked });
    this.listener.message({ op: "unsubscribed", channels: gone });
    this.#sendDue();
  }

  /** Measure the round trip to the gateway; calls `done` with milliseconds. */
  ping(done) {
    if (this.socket?.readyState !== OPEN) return;
    const id = `ping-${this.#nextPing++}`;
    this.#pings.clear();
    this.#pings.set(id, { at: performance.now(), done });
    this.#send({ op: "ping", id });
  }

  /** Check prices before a bet is placed. Rejects with RequestRefused. */
  async checkQuotes(quotes, { accept, tolerance, format, sign } = {}) {
    return (await this.#ask("/v1/quotes/check", JSON.stringify({ accept, tolerance, format, sign, quotes }))).quotes;
  }

  /** Get a ticket, which opens one stream as `?ticket=` of its URL. Rejects with RequestRefused. */
  fetchTicket() {
    return this.#ask("/v1/tickets");
  }

  /** Make a request with the token of the connection, and once more with another one if that is refused. */
  async #ask(path, body) {
    const url = apiUrl(this.url, path);
    const token = this.#tokens.current ?? (await this.#tokens.next());
    try {
      return await post(url, token, body);
    } catch (refused) {
      const other = refused.status === 401 ? await this.#tokens.next() : token;
      if (other === token) throw refused;
      return post(url, other, body);
    }
  }

  #setState(state, detail) {
    if (state === "stopped" && this.state === "stopped") return;
    this.state = state;
    this.listener.state(state, detail);
  }

  // -- one connection

  async #connect() {
    const generation = ++this.#generation;
    this.state = "connecting";
    // What `onState` is given may use the client, and what was returned with it.
    await undefined;
    if (generation !== this.#generation) return;
    this.#setState("connecting");
    let token;
    try {
      token = await this.#tokens.next();
    } catch (error) {
      if (generation === this.#generation) this.#recover("token", `no token: ${error}`);
      return;
    }
    if (generation !== this.#generation) return;
    const { refused } = this.#tokens;
    if (refused?.token === token && token !== undefined) return this.#needToken(refused.code, refused.text);
    if (this.#tokens.use(token)) this.subscriptions.forgetPositions();
    this.#open(generation);
  }

  get #usesEventStreams() {
    return this.transport === "sse" || (this.transport === "auto" && (this.#sseFallback.isActive || !hasWebSockets()));
  }

  #open(generation) {
    this.#welcomedAt = undefined;
    this.#authenticating = false;
    const usesEventStreams = this.#usesEventStreams;
    const socket = usesEventStreams ? new EventStreams(this.url) : new OddsSocket(this.url, this.encoding);
    this.socket = socket;
    this.subscriptions.begin();
    if (usesEventStreams) this.subscriptions.restraint.resuming = Math.min(SSE_RESUMING, this.subscriptions.restraint.resuming);
    let opened = false;
    this.#silence.begin(this.#connectTimeout.begin(performance.now()));
    socket.onopen = () => {
      opened = true;
      if (generation === this.#generation) this.#silence.heard();
    };
    socket.onmessage = ({ data: message }) => {
      if (generation !== this.#generation) return;
      this.#silence.heard();
      let refused;
      try {
        if (message instanceof Error) throw message;
        if (!this.subscriptions.wants(message)) return;
        refused = this.#receive(message);
      } catch (error) {
        return this.#recover("protocol", `a message that can't be read: ${error}`);
      }
      this.#pass(message, refused);
    };
    socket.onrefused = (answer) => {
      if (generation === this.#generation) this.#recover(codeOfStatus(answer.status), describe(answer), answer.retryAfter);
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
    const answer = await askWhy(this.url, this.#connectTimeout.limitMs);
    if (asking !== this.#generation) return;
    if (answer === undefined) return this.#recover("unreachable", "no connection");
    if (isServed(answer)) this.#sseFallback.noteBlocked();
    this.#recover(isServed(answer) ? "unreachable" : codeOfStatus(answer.status), describe(answer), answer.retryAfter);
  }

  /** Handle a message, and return the channels that it refuses; undefined if it is of no interest to the listener. */
  #receive(message) {
    switch (message.op) {
      case "welcome":
        if (!(message.heartbeat_ms > 0)) throw new TypeError("no heartbeat_ms");
        this.#silence.heartbeatMs = message.heartbeat_ms;
        this.#silence.heard();
        this.#welcomedAt = performance.now();
        if (this.socket instanceof OddsSocket) this.#connectTimeout.noteWelcome(this.#welcomedAt);
        this.#authenticating = this.#tokens.current !== undefined;
        if (this.#authenticating) this.#send({ op: "auth", token: this.#tokens.current });
        else this.#begin();
        return undefined;
      case "pace": // of an event stream, whose welcome was a guess
        this.#silence.heartbeatMs = message.heartbeat_ms;
        return undefined;
      case "authenticated":
        this.#tokens.renewBefore(message.expires_ms);
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
        this.#waits.askedMs = Math.max(0, Number(message.reconnect_ms) || 0);
        return undefined;
      case "unsubscribed": // the listener was told when it was asked for
        this.subscriptions.receive(message, performance.now());
        return undefined;
    }
    if (typeof message.op !== "string") throw new TypeError("no op");
    return this.subscriptions.receive(message, performance.now());
  }

  #pass(message, refused) {
    if (refused === undefined) return;
    this.#sseFallback.notePassed();
    this.listener.message(message);
    for (const channel of refused) this.listener.message({ op: "refused", channel, code: message.code, message: message.message });
    if (message.op === "error") this.#reportError(message, refused);
    this.#sendDue();
  }

  #begin() {
    this.#authenticating = false;
    this.#setState("live");
    this.#sendDue();
  }

  #reportError(message, channels) {
    if (actionOf(codeOfError(message.code)) === GIVE_UP) return this.#giveUp(message.code, message.message, channels);
    const due = channels.length ? this.subscriptions.refused.get(channels[0]).due : Infinity;
    this.#report(message.code, message.message, due === Infinity ? undefined : due - performance.now(), channels);
  }

  get #canSend() {
    return this.#welcomedAt !== undefined && !this.#authenticating && this.socket?.readyState === OPEN;
  }

  #sendDue() {
    clearTimeout(this.#sending);
    if (!this.#canSend) return;
    for (const request of this.subscriptions.due(performance.now())) this.#send(request);
    const next = this.subscriptions.nextDue;
    if (next < Infinity) this.#sending = setTimeout(() => this.#sendDue(), Math.max(0, next - performance.now()));
  }

  #send(message) {
    this.socket?.send(message);
  }

  #lostSilently(text) {
    this.#connectTimeout.noteSilence();
    this.#recover("silence", text);
  }

  async #giveUpSilent() {
    if (this.#welcomedAt !== undefined) return this.#lostSilently("no message");
    const { quickMs } = this.#connectTimeout;
    const isLongest = this.#connectTimeout.timedOut();
    if (this.socket.readyState === OPEN) {
      this.#sseFallback.noteBlocked();
      return this.#recover(isLongest ? "protocol" : "silence", "no welcome"); // what never welcomes us is no gateway
    }
    this.#disconnect();
    if (this.#connectTimeout.isDoubtful) {
      const asking = this.#generation;
      const answer = await askWhy(this.url, quickMs);
      if (asking !== this.#generation) return;
      if (isServed(answer)) this.#sseFallback.noteBlocked();
    }
    this.#recover("unreachable", "no answer in time");
  }

  /** Check a connection that may be dead: the machine has slept, or is on another network. */
  #check(why) {
    if (this.stopped) return;
    if (this.socket === undefined) {
      if (why === "offline") return;
      this.#waits.renew();
      if (this.state !== "reconnecting" || this.#waits.isAsked) return;
      clearTimeout(this.#retry);
      this.#connect();
      return;
    }
    if (this.#welcomedAt === undefined) return;
    if (why === "offline" || this.#silence.isLate) this.#silence.note();
    this.ping(() => {});
    this.#silence.expect(this.timing.probeMs, () => this.#lostSilently(`no answer (${why})`));
  }

  #mark(op) {
    this.listener.message({ op, since: this.#silence.heardMs });
  }

  /** Close the socket, which is not waited for. */
  #disconnect() {
    this.#generation += 1;
    clearTimeout(this.#sending);
    this.#tokens.end();
    this.#silence.end();
    if (!this.socket) return;
    this.socket.close();
    this.socket = undefined;
    this.#mark("lost");
  }

  // -- after a connection

  #recover(code, text, retryAfter) {
    this.#disconnect();
    this.reconnects += 1;
    this.#waits.ended(this.#welcomedAt === undefined ? undefined : performance.now() - this.#welcomedAt);
    this.#welcomedAt = undefined; // what fails before the next connection is no end of this one
    const action = actionOf(code);
    if (action === GIVE_UP) return this.#giveUp(code, text, []);
    if (action === ASK_TOKEN && this.#tokens.current === undefined) return this.#needToken(code, text);
    if (action === ASK_TOKEN && code !== "4408") this.#tokens.refused = { token: this.#tokens.current, code, text };
    else if (action === RESTART) this.subscriptions.forgetPositions();
    else if (action === RESTRAIN) this.subscriptions.restrain(code, text);
    const delay = this.#waits.next(action, retryAfter, this.#tokens.refused !== undefined);
    this.#report(code, text, delay, []);
    this.#setState("reconnecting", text);
    this.#retry = this.sleep(delay, () => {
      if (!this.stopped) this.#connect();
    });
  }

  #needToken(code, text) {
    this.stopped = true;
    this.#unwatch?.();
    this.#report(code, text, undefined, []);
    this.#setState("refused", text);
  }

  #giveUp(code, text, channels) {
    this.stopped = true;
    this.#unwatch?.();
    this.#disconnect();
    this.#report(code, text, undefined, channels);
    this.#setState("failed", text);
  }

  #report(code, text, retryMs, channels) {
    this.listener.problem({ code, text, retryMs, channels });
  }
}
