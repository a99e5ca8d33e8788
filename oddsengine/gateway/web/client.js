// A client of the protocol odds.v1: connects, subscribes, resumes after every disconnect, and passes messages on.

const BACKOFF_START_MS = 250;
const BACKOFF_CEILING_MS = 10_000;
// A connection is given up after this many heartbeat intervals without a message.
const SILENT_HEARTBEATS = 2.5;
/** Closing codes for a token that is missing or not valid: connecting again with it would fail the same way. */
const UNAUTHORISED = new Set([4401, 4403, 4408]);

export class OddsClient {
  /**
   * @param {string} url the stream's URL, ws: or wss:
   * @param {string[]} channels the channels to subscribe to
   * @param {{message: (m: object) => void, state: (s: string, detail?: string) => void, refused?: () => void}} listener receives messages and connection states
   * @param {() => string | undefined} token returns the token for each connection; undefined where none is required
   */
  constructor(url, channels, listener, token = () => undefined) {
    this.token = token;
    this.url = url;
    this.channels = channels;
    this.listener = listener;
    /** channel -> the last `at` received on it */
    this.at = new Map();
    this.failures = 0;
    this.heartbeatMs = 5000;
    this.stopped = false;
    this.nextId = 1;
    this.pings = new Map();
    /** channels whose first message has arrived on this connection */
    this.complete = new Set();
    /** when the gateway has asked to reconnect, milliseconds after the disconnect */
    this.reconnectMs = undefined;
  }

  start() {
    this.stopped = false;
    this.#connect();
  }

  /** Subscribe to a channel. No-op if it is subscribed to. */
  add(channel) {
    if (this.channels.includes(channel)) return;
    this.channels.push(channel);
    if (this.welcomed) this.#subscribe(channel);
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.retry);
    clearTimeout(this.silence);
    this.socket?.close();
  }

  /** Measure the round trip to the gateway; calls `done` with milliseconds. */
  ping(done) {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    const id = `ping-${this.nextId++}`;
    this.pings.clear();
    this.pings.set(id, { at: performance.now(), done });
    this.#send({ op: "ping", id });
  }

  #connect() {
    this.listener.state("connecting");
    this.welcomed = false;
    const socket = new WebSocket(this.url, "odds.v1.json");
    this.socket = socket;
    this.complete.clear();
    this.#watchSilence();
    socket.onmessage = (event) => {
      this.#watchSilence();
      let message;
      try {
        message = JSON.parse(event.data);
      } catch {
        return; // not this protocol; the silence timeout closes a socket that sends nothing else
      }
      this.#handle(message);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket || this.stopped) return;
      if (UNAUTHORISED.has(event.code)) {
        this.stop();
        this.listener.state("refused", event.reason);
        this.listener.refused?.();
        return;
      }
      this.#reconnect(event.reason);
    };
  }

  #handle(message) {
    switch (message.op) {
      case "welcome":
        this.heartbeatMs = message.heartbeat_ms;
        if (this.token()) this.#send({ op: "auth", token: this.token() });
        else this.#begin();
        return;
      case "authenticated":
        this.#begin();
        return;
      case "heartbeat":
        // Its position is that of every channel whose first message has arrived.
        if (message.at) for (const channel of this.complete) this.at.set(channel, message.at);
        return;
      case "pong": {
        const ping = this.pings.get(message.id);
        this.pings.delete(message.id);
        ping?.done(performance.now() - ping.at);
        return;
      }
      case "bye":
        this.reconnectMs = message.reconnect_ms;
        return;
      case "subscribed":
        if (message.resumed) for (const channel of message.channels) this.complete.add(channel);
        break;
      case "snapshot":
        if (message.last) {
          this.at.set(message.channel, message.at);
          this.complete.add(message.channel);
        }
        break;
      case "delta":
        this.at.set(message.channel, message.at);
        break;
    }
    this.listener.message(message);
  }

  #begin() {
    this.failures = 0;
    this.listener.state("live");
    // One request per channel: each resumes from its own position.
    this.welcomed = true;
    for (const channel of this.channels) this.#subscribe(channel);
  }

  #subscribe(channel) {
    const resume = this.at.get(channel);
    this.#send({ op: "subscribe", id: this.nextId++, channels: [channel], ...(resume ? { resume } : {}) });
  }

  #reconnect(reason) {
    this.welcomed = false;
    clearTimeout(this.silence);
    const ceiling = Math.min(BACKOFF_CEILING_MS, BACKOFF_START_MS * 2 ** this.failures++);
    const delay = this.reconnectMs ?? Math.random() * ceiling;
    this.reconnectMs = undefined;
    this.listener.state("reconnecting", reason);
    this.retry = setTimeout(() => this.#connect(), delay);
  }

  #watchSilence() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      const socket = this.socket;
      socket.onclose = null;
      socket.close();
      this.#reconnect("silence");
    }, this.heartbeatMs * SILENT_HEARTBEATS);
  }

  #send(message) {
    this.socket.send(JSON.stringify(message));
  }
}
