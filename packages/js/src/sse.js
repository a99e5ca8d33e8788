// Server-sent events in place of a WebSocket, for networks that block these: an object that is used like a socket. Each subscribe
// request is a stream of its own, and what a stream can't say the other way is done here.

import { OPEN } from "./socket.js";
import { SILENT_HEARTBEATS } from "./wake.js";

const HEARTBEAT_MS = 5000;
// Browsers open six connections to a host over HTTP/1.1: more streams would wait for each other.
const MAX_STREAMS = 4;
// How long the requests of a new connection may take to come.
const FIRST_REQUESTS_MS = 10_000;
const CLOSED = 3;
// As of a socket whose connection was lost.
const ABNORMAL = 1006;

/** Yield the data of each event of a response. */
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) yield line.slice("data: ".length);
  }
}

/** When a token expires, Unix milliseconds; undefined if it does not say so. The gateway decides. */
function expiresMs(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).exp * 1000;
  } catch {
    return undefined;
  }
}

export class EventStreams {
  #url;
  #token;
  /** aborts a stream -> the channels that are still wanted of it, and when it was last heard of */
  #streams = new Map();
  #heartbeatMs = HEARTBEAT_MS;
  #timer;
  #firstMs;

  /** @param {string} url the stream's URL, ws: or wss: */
  constructor(url) {
    this.#url = url.replace(/^ws/, "http").replace(/\/stream(?=$|\?)/, "/sse");
    this.readyState = 0;
    queueMicrotask(() => {
      if (this.readyState === CLOSED) return;
      this.readyState = OPEN;
      this.onopen?.({});
      this.#tell({ op: "welcome", version: 1, session: "", heartbeat_ms: HEARTBEAT_MS });
    });
    this.#timer = setInterval(() => this.#watch(), 1000);
  }

  send(request) {
    switch (request.op) {
      case "auth":
        this.#token = request.token;
        queueMicrotask(() => this.#tell({ op: "authenticated", id: request.id, expires_ms: expiresMs(request.token) ?? null }));
        break;
      case "subscribe":
        this.#firstMs ??= Date.now();
        // More streams than there should be, as more was asked for later: everything is asked for again, in as few as possible.
        if (this.#streams.size >= MAX_STREAMS && Date.now() - this.#firstMs > FIRST_REQUESTS_MS) this.#end(ABNORMAL, "too many event streams");
        else this.#follow(request);
        break;
      case "unsubscribe":
        for (const [abort, stream] of this.#streams) {
          for (const channel of request.channels) stream.channels.delete(channel);
          if (!stream.channels.size) this.#stop(abort);
        }
        queueMicrotask(() => this.#tell({ op: "unsubscribed", id: request.id, channels: request.channels }));
        break;
    }
  }

  close() {
    this.readyState = CLOSED;
    clearInterval(this.#timer);
    for (const abort of [...this.#streams.keys()]) this.#stop(abort);
  }

  #stop(abort) {
    this.#streams.delete(abort);
    abort.abort();
  }

  #end(code, reason) {
    if (this.readyState === CLOSED) return;
    this.close();
    this.onclose?.({ code, reason });
  }

  #tell(message) {
    if (this.readyState === OPEN) this.onmessage?.({ data: message });
  }

  async #follow({ id, channels, format, min_interval_ms, resume }) {
    const abort = new AbortController();
    const stream = { channels: new Set(channels), heardMs: Date.now() };
    this.#streams.set(abort, stream);
    const url = new URL(this.#url);
    for (const channel of channels) url.searchParams.append("channel", channel);
    // With `confirm` what is refused comes as an event, also of a single channel.
    for (const [name, value] of Object.entries({ format, min_interval_ms, resume, confirm: true })) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const headers = this.#token === undefined ? {} : { Authorization: `Bearer ${this.#token}` };
    try {
      const response = await fetch(url, { headers, signal: abort.signal, cache: "no-store" });
      if (response.status !== 200) return this.#refuse(response);
      for await (const data of eventsOf(response)) {
        stream.heardMs = Date.now();
        this.#pass(JSON.parse(data), id, stream);
      }
      if (this.#streams.has(abort)) this.#end(ABNORMAL, "the event stream has ended");
    } catch (error) {
      if (!this.#streams.has(abort)) return;
      if (error instanceof SyntaxError) this.#tell("nonsense");
      else this.#end(ABNORMAL, `${error}`);
    }
  }

  #pass(message, request, stream) {
    if (message.op === "welcome") {
      this.#heartbeatMs = message.heartbeat_ms;
      this.#tell({ op: "pace", heartbeat_ms: message.heartbeat_ms });
    } else if (message.op === "heartbeat") {
      this.#tell({ ...message, channels: [...stream.channels] });
    } else if (message.op === "bye") {
      this.#tell(message);
    } else if (message.op === "subscribed" || message.op === "error") {
      this.#tell({ ...message, id: request });
    } else if (stream.channels.has(message.channel)) {
      this.#tell(message);
    }
  }

  async #refuse(response) {
    const text = await response.text().catch(() => "");
    if (this.readyState === CLOSED) return;
    this.close();
    this.onrefused?.({ status: response.status, text, retryAfter: response.headers.get("Retry-After") });
  }

  /** End everything once one of the streams is silent; without any, say that there is nothing to be heard. */
  #watch() {
    const now = Date.now();
    for (const { heardMs } of this.#streams.values()) {
      if (now - heardMs > this.#heartbeatMs * SILENT_HEARTBEATS) return this.#end(ABNORMAL, "an event stream is silent");
    }
    if (!this.#streams.size) this.#tell({ op: "heartbeat", at: "", ts: now, channels: [] });
  }
}
