// What a client asks of the gateway: which channels, in which requests, from which positions; and what is refused. No I/O.

import { ASK_FOR_SNAPSHOT, ASK_WITH_TOKEN, REPORT, actionOf, askAgainInMs, codeOfError } from "./recovery.js";

// Requests that are not answered yet; more are sent once these are.
const MAX_UNANSWERED = 4;
const MAX_CHANNELS = 100;
// No gateway may be configured for shorter messages than 1,024 bytes: a longer one might cost the connection.
const MAX_BYTES = 1000;
const MIN_BYTES = 256;
// Channels at different positions need a request each. Those beyond so many requests are asked for as snapshots, together.
const MAX_RESUMING = 32;
const FIRST_PACE_MS = 250;
const MAX_PACE_MS = 30_000;
const PACE_FACTOR = 4;
// How many events a channel may have, roughly.
const WEIGHTS = { sport: 100, competition: 10 };

const bytes = (value) => new TextEncoder().encode(JSON.stringify(value)).length;
const weight = (channel) => WEIGHTS[channel.split(":", 1)[0]] ?? 1;
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

export class Subscriptions {
  /** @param {object} timing how long to wait before a refused channel is asked for again */
  constructor(timing) {
    /** channel -> what its requests say beside its name, as `min_interval_ms` @type {Map<string, object>} */
    this.options = new Map();
    this.timing = timing;
    /** channel -> the last `at` received on it */
    this.at = new Map();
    /** channel -> {code, text, times, due}; due: when to ask again, Infinity for once there is another token, undefined while asked for */
    this.refused = new Map();
    this.restraint = { bytes: MAX_BYTES, resuming: MAX_RESUMING, paceMs: 0 };
    this.lastId = 0;
    this.begin();
  }

  /** Ask for everything on a new connection. */
  begin() {
    this.toAsk = new Set(this.channels);
    /** request id -> its channels that are not answered yet */
    this.unanswered = new Map();
    /** channels that the gateway was asked for and has not refused since */
    this.asked = new Set();
    /** channels whose first message has arrived */
    this.complete = new Set();
    this.resuming = 0;
    /** channels that were unsubscribed from -> how many times that was not answered yet: what arrives until then is not wanted */
    this.leaving = new Map();
    this.nextSend = 0;
    this.hasAnswers = false;
    for (const refusal of this.refused.values()) refusal.due = undefined;
  }

  /** All channels that the client follows. */
  get channels() {
    return [...this.options.keys()];
  }

  /** Follow a channel. No-op if it is followed with the same options; with others it starts again with a snapshot. */
  add(channel, options) {
    const before = this.options.get(channel);
    if (before && JSON.stringify(before) === JSON.stringify(options)) return;
    this.options.set(channel, options);
    this.at.delete(channel);
    this.toAsk.add(channel);
  }

  /** Follow channels no more. Returns those that the gateway has to be told of. */
  remove(channels) {
    const asked = [];
    for (const channel of channels) {
      if (!this.options.delete(channel)) continue;
      this.toAsk.delete(channel);
      // It may be subscribed to while it is about to be asked for again, with other options.
      if (this.asked.delete(channel)) asked.push(channel);
      for (const map of [this.at, this.complete, this.refused]) map.delete(channel);
      this.#settle(undefined, [channel]);
    }
    for (const channel of asked) this.leaving.set(channel, (this.leaving.get(channel) ?? 0) + 1);
    return asked;
  }

  /** Check whether a message is of a channel that is followed, and not left over from before it was followed again. */
  wants(message) {
    const { channel } = message;
    return channel === undefined || (this.options.has(channel) && !this.leaving.has(channel));
  }

  /** Ask again for the channels that wait for another token. */
  grant() {
    for (const refusal of this.refused.values()) if (refusal.due === Infinity) refusal.due = 0;
  }

  /** Ask for snapshots from now on. */
  forgetPositions() {
    this.at.clear();
  }

  /** Ask less at a time. A token with too many sessions is closed with the same code, but there nothing was answered. */
  restrain(code, reason) {
    const restraint = this.restraint;
    if (code === "1009") {
      restraint.bytes = Math.max(MIN_BYTES, Math.floor(restraint.bytes / 4));
    } else if (this.hasAnswers || reason.includes("messages")) {
      restraint.paceMs = Math.min(MAX_PACE_MS, Math.max(FIRST_PACE_MS, restraint.paceMs * PACE_FACTOR));
      restraint.resuming = Math.max(1, Math.floor(restraint.resuming / PACE_FACTOR));
    }
  }

  /** When there is the next request to send; Infinity if only an answer or a token can bring one. */
  get nextDue() {
    const canSend = this.toAsk.size && this.unanswered.size < MAX_UNANSWERED;
    return Math.min(canSend ? this.nextSend : Infinity, ...[...this.refused.values()].map((refusal) => refusal.due ?? Infinity));
  }

  /** The requests to send now. */
  due(now) {
    for (const [channel, refusal] of this.refused) {
      if (refusal.due <= now) {
        refusal.due = undefined;
        this.toAsk.add(channel);
      }
    }
    const requests = [];
    while (this.toAsk.size && this.unanswered.size < MAX_UNANSWERED && now >= this.nextSend) {
      requests.push(this.#nextRequest());
      if (this.restraint.paceMs) this.nextSend = now + this.restraint.paceMs;
    }
    return requests;
  }

  /** Handle a message and return the channels that it refuses. */
  receive(message, now) {
    switch (message.op) {
      case "snapshot":
        if (!message.last) break;
      // falls through
      case "delta":
        this.at.set(message.channel, message.at);
        this.complete.add(message.channel);
        break;
      case "heartbeat":
        // Its position is that of every channel whose first message has arrived; of `channels` if it came on one of several streams.
        for (const channel of message.channels ?? this.complete) if (this.complete.has(channel)) this.at.set(channel, message.at);
        break;
      case "subscribed":
        this.#accept(message);
        break;
      case "unsubscribed":
        for (const channel of message.channels) {
          const left = (this.leaving.get(channel) ?? 0) - 1;
          if (left > 0) this.leaving.set(channel, left);
          else this.leaving.delete(channel);
        }
        break;
      case "error":
        return this.#refuse(message, now);
    }
    return [];
  }

  #accept(message) {
    this.#answer(message.id, message.channels);
    for (const channel of message.channels) {
      if (this.leaving.has(channel)) continue; // of the request before it was left
      this.refused.delete(channel);
      if (!message.resumed || !this.options.has(channel)) continue;
      if (this.at.has(channel)) this.complete.add(channel);
      // What there was of it was dropped, since an error before this seemed to be about it.
      else this.toAsk.add(channel);
    }
  }

  #refuse(message, now) {
    const code = codeOfError(message.code);
    const action = actionOf(code);
    let channels = this.#named(message, code);
    if (action === REPORT || !channels.length) return [];
    this.#answer(message.id, channels);
    channels = channels.filter((channel) => !this.leaving.has(channel));
    if (action === ASK_FOR_SNAPSHOT) {
      const resuming = new Set(channels.filter((channel) => this.at.delete(channel)));
      for (const channel of resuming) this.toAsk.add(channel);
      channels = channels.filter((channel) => !resuming.has(channel));
    }
    const times = 1 + Math.max(0, ...channels.map((channel) => this.refused.get(channel)?.times ?? 0));
    const due = action === ASK_WITH_TOKEN ? Infinity : now + askAgainInMs(this.timing, times - 1);
    for (const channel of channels) {
      this.at.delete(channel);
      this.complete.delete(channel);
      this.asked.delete(channel);
      this.refused.set(channel, { code: message.code, text: message.message, times, due });
    }
    return channels;
  }

  /**
   * The channels that an error is about. A gateway that does not name them answers a request either with an error for each
   * channel, which quotes it, or with one for all.
   */
  #named(message, code) {
    if (message.channels) return message.channels.filter((channel) => this.options.has(channel));
    if (message.id == null) return code === "bad_message" ? [...this.unanswered.values()].flatMap((asked) => [...asked]) : [];
    const asked = [...(this.unanswered.get(message.id) ?? [])];
    const quoted = asked.filter((channel) => {
      const name = channel.slice(channel.indexOf(":") + 1);
      return message.message?.includes(`'${channel}'`) || message.message?.includes(`'${name}'`);
    });
    return quoted.length ? quoted : asked;
  }

  #answer(request, channels) {
    this.hasAnswers = true;
    this.#settle(request, channels);
  }

  /** Wait no longer for what is said of channels. */
  #settle(request, channels) {
    for (const id of this.unanswered.has(request) ? [request] : [...this.unanswered.keys()]) {
      const asked = this.unanswered.get(id);
      for (const channel of channels) asked.delete(channel);
      if (!asked.size) this.unanswered.delete(id);
    }
  }

  /** A request for as many channels as one may have, of those whose snapshots would cost most first. */
  #nextRequest() {
    if (this.resuming >= this.restraint.resuming) for (const channel of this.toAsk) this.at.delete(channel);
    // Channels share a request if they have the same position and options.
    const groups = new Map();
    for (const channel of this.toAsk) {
      const at = this.at.get(channel);
      const options = this.options.get(channel);
      const key = JSON.stringify([at ?? null, options]);
      if (!groups.has(key)) groups.set(key, { at, options, channels: [] });
      groups.get(key).channels.push(channel);
    }
    const cost = (group) => sum(group.channels.map(weight));
    const group = [...groups.values()].reduce((best, each) => (cost(each) > cost(best) ? each : best));
    const request = { op: "subscribe", id: ++this.lastId, channels: [], ...group.options };
    if (group.at !== undefined) {
      this.resuming += 1;
      Object.assign(request, { resume: group.at, confirm: true });
    }
    let length = bytes(request);
    for (const channel of group.channels.slice(0, MAX_CHANNELS)) {
      length += bytes(channel) + 1;
      if (request.channels.length && length > this.restraint.bytes) break;
      request.channels.push(channel);
    }
    for (const channel of request.channels) {
      this.toAsk.delete(channel);
      this.asked.add(channel);
    }
    this.unanswered.set(request.id, new Set(request.channels));
    return request;
  }
}
