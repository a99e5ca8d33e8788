// A client of the protocol odds.v1: connects, subscribes, resumes after any break, and hands on what comes.

const BACKOFF_START_MS = 250;
const BACKOFF_CEILING_MS = 10_000;
// Two heartbeats may go missing before a silent socket is given up.
const SILENT_HEARTBEATS = 2.5;
/** Closing codes of a token that is not good, or not there in time. */
const UNAUTHORISED = new Set([4401, 4403, 4408]);

export class OddsClient {
  /**
   * @param {string} url of the stream, ws: or wss:
   * @param {string[]} channels to subscribe to
   * @param {{message: (m: object) => void, state: (s: string, detail?: string) => void, refused?: () => void}} listener
   * @param {() => string | undefined} token gives the token for each connection, if one is needed
   */
  constructor(url, channels, listener, token = () => undefined) {
    this.token = token;
    this.url = url;
    this.channels = channels;
    this.listener = listener;
    /** channel -> the last `at` seen on it */
    this.at = new Map();
    this.failures = 0;
    this.heartbeatMs = 5000;
    this.stopped = false;
    this.nextId = 1;
    this.pings = new Map();
    this.complete = new Set();
  }

  start() {
    this.stopped = false;
    this.#connect();
  }

  /** Add a channel; does nothing if it is there. */
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

  /** Measure the time to the gateway and back; calls `done` with milliseconds. */
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
        return; // not ours; the silence watch ends a socket that says nothing else
      }
      this.#take(message);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket || this.stopped) return;
      if (UNAUTHORISED.has(event.code)) {
        // Asking again with the same token would end the same way.
        this.stop();
        this.listener.state("refused", event.reason);
        this.listener.refused?.();
        return;
      }
      this.#reconnect(event.reason);
    };
  }

  #take(message) {
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
        // It speaks for every channel whose first message has come on this connection.
        if (message.at) for (const channel of this.complete) this.at.set(channel, message.at);
        return;
      case "pong": {
        const ping = this.pings.get(message.id);
        this.pings.delete(message.id);
        ping?.done(performance.now() - ping.at);
        return;
      }
      case "bye":
        this.wait = message.reconnect_ms;
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
    // Each channel resumes from what was last seen on it, so each is asked for on its own.
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
    const wait = this.wait ?? Math.random() * ceiling;
    this.wait = undefined;
    this.listener.state("reconnecting", reason);
    this.retry = setTimeout(() => this.#connect(), wait);
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
