// The current state of what is on offer, built from the stream's messages and what the client says of the connection.
// Independent of the DOM. oddsengine/client/state.py follows the same rules.

import { guarded } from "./listeners.js";

/**
 * The events and markets of one channel, each beside the number of the message that it is of. They are complete by themselves:
 * two channels may show the same market in two formats.
 */
class Channel {
  constructor() {
    /** @type {Map<string, {value: object, number: number}>} */
    this.events = new Map();
    /** @type {Map<string, {value: object, number: number}>} */
    this.markets = new Map();
  }

  has(id) {
    return this.events.has(id) || this.markets.has(id);
  }

  *ids() {
    yield* this.events.keys();
    yield* this.markets.keys();
  }
}

export class OddsStore {
  #number = 0;
  #listeners = new Set();
  // how often all channels, and each of them, have changed
  #version = 0;
  #versions = new Map();
  /** channel -> its state, once it has any @type {Map<string, Channel>} */
  #channels = new Map();
  /** channel -> a snapshot whose last part has not arrived @type {Map<string, Channel>} */
  #parts = new Map();

  constructor() {
    /** what any channel shows; of what several show, what was received last @type {Map<string, object>} */
    this.events = new Map();
    /** @type {Map<string, object>} */
    this.markets = new Map();
    /** channel -> since when the gateway calls it stale */
    this.announcedStale = new Map();
    /** channel -> when it was last known to be current, where the client itself does not know whether it is */
    this.unconfirmed = new Map();
    /** resumed channels that have not been confirmed: what has changed meanwhile is still to come */
    this.resuming = new Set();
    this.silentSince = undefined;
  }

  /** The channels that may be out of date, and since when (Unix milliseconds). */
  get stale() {
    const silent = this.silentSince === undefined ? [] : [...this.#channels.keys()].map((channel) => [channel, this.silentSince]);
    return new Map([...silent, ...this.announcedStale, ...this.unconfirmed]);
  }

  /** Check whether no channel that is current contains an event or market. */
  isStale(id, stale = this.stale) {
    if (!stale.size) return false;
    for (const [name, channel] of this.#channels) if (channel.has(id) && !stale.has(name)) return false;
    return true;
  }

  /**
   * What one channel shows.
   * @returns {{events: object[], markets: object[], isLoaded: boolean, staleSince: number | undefined}}
   */
  channel(name) {
    const channel = this.#channels.get(name);
    const values = (entries) => (entries ? [...entries.values()].map((entry) => entry.value) : []);
    return { events: values(channel?.events), markets: values(channel?.markets), isLoaded: channel !== undefined, staleSince: this.stale.get(name) };
  }

  /** What differs from before once a channel has changed. */
  versionOf(name) {
    return `${this.#version}.${this.#versions.get(name) ?? 0}`;
  }

  /** Call a function after each message that has changed anything. Returns what ends that. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Apply a message and return what it changed.
   * @returns {{all: boolean, events: Set<string>, moves: {market: string, selection: string, up: boolean}[], changes: number}}
   */
  apply(message) {
    const changed = { all: false, events: new Set(), moves: [], changes: 0 };
    // A channel of the console has nothing that is on offer.
    if (message.channel?.startsWith("console:")) return changed;
    this.#number += 1;
    if (!this.#apply(message, changed)) return changed;
    if (message.channel === undefined) this.#version += 1;
    else this.#versions.set(message.channel, (this.#versions.get(message.channel) ?? 0) + 1);
    for (const listener of [...this.#listeners]) guarded(listener)(changed);
    return changed;
  }

  /** Apply a message. Return whether it may have changed what is shown. */
  #apply(message, changed) {
    switch (message.op) {
      case "snapshot":
        return this.#applySnapshot(message, changed);
      case "delta":
        this.#applyDelta(message, changed);
        return true;
      case "subscribed":
        if (message.resumed) for (const channel of message.channels) this.resuming.add(channel);
        return false;
      case "stale":
        this.#confirm(message.channel);
        this.announcedStale.set(message.channel, message.since);
        break;
      case "live":
        this.#confirm(message.channel);
        this.announcedStale.delete(message.channel);
        break;
      case "heartbeat":
        // It is sent only to clients that have been sent everything. `channels`: those of one of several event streams.
        if (!this.resuming.size) return false;
        for (const channel of message.channels ?? [...this.resuming]) if (this.resuming.has(channel)) this.#confirm(channel);
        break;
      case "lost":
        this.#lose(message.since);
        break;
      case "silent":
        this.silentSince = message.since;
        break;
      case "heard":
        this.silentSince = undefined;
        break;
      case "refused":
        this.#drop(message.channel);
        break;
      case "unsubscribed":
        for (const channel of message.channels) this.#drop(channel);
        break;
      default:
        return false;
    }
    changed.all = true;
    return true;
  }

  #lose(since) {
    this.#parts.clear();
    this.silentSince = undefined;
    for (const channel of this.#channels.keys()) {
      if (!this.unconfirmed.has(channel)) this.unconfirmed.set(channel, this.announcedStale.get(channel) ?? since);
    }
    this.announcedStale.clear();
    this.resuming.clear();
  }

  #confirm(channel) {
    this.unconfirmed.delete(channel);
    this.resuming.delete(channel);
  }

  /** Remove a channel, with everything that no other channel contains. */
  #drop(name) {
    this.#parts.delete(name);
    this.announcedStale.delete(name);
    this.#confirm(name);
    const channel = this.#channels.get(name);
    this.#channels.delete(name);
    if (channel) this.#show(channel.ids());
  }

  /** Show of events and markets what was received last; nothing of those that no channel contains any more. */
  #show(ids) {
    for (const id of ids) {
      this.#showOne("events", id);
      this.#showOne("markets", id);
    }
  }

  #showOne(kind, id) {
    let latest;
    for (const channel of this.#channels.values()) {
      const entry = channel[kind].get(id);
      if (entry && (!latest || entry.number >= latest.number)) latest = entry;
    }
    if (latest) this[kind].set(id, latest.value);
    else this[kind].delete(id);
  }

  #applySnapshot(message, changed) {
    const name = message.channel;
    if (message.part === 1) this.#parts.set(name, new Channel());
    const parts = this.#parts.get(name);
    if (!parts) return false; // the first part came on another connection
    // What another channel is sent between two parts is newer than the first of them.
    const number = this.#number;
    for (const value of message.events) parts.events.set(value.id, { value, number });
    for (const value of message.markets) parts.markets.set(value.id, { value, number });
    if (!message.last) return false;
    // A snapshot replaces its channel's state once its last part has arrived.
    this.#parts.delete(name);
    const before = this.#channels.get(name) ?? new Channel();
    this.#channels.set(name, parts);
    this.#show(new Set([...before.ids(), ...parts.ids()]));
    this.#confirm(name);
    changed.all = true;
    return true;
  }

  #applyDelta(message, changed) {
    const name = message.channel;
    if (!this.#channels.has(name)) this.#channels.set(name, new Channel());
    const channel = this.#channels.get(name);
    for (const event of message.events ?? []) this.#applyEvent(event, channel, changed);
    for (const market of message.markets ?? []) this.#applyMarket(market, name, channel, changed);
  }

  #applyEvent(change, channel, changed) {
    const { id } = change;
    changed.events.add(id);
    if (change.removed) {
      const gone = [id, ...[...channel.markets.values()].map((entry) => entry.value).filter((market) => market.event === id).map((market) => market.id)];
      channel.events.delete(id);
      for (const each of gone) channel.markets.delete(each);
      this.#show(gone);
      changed.all = true;
      return;
    }
    const known = channel.events.get(id)?.value;
    // A change with its sport is the whole event.
    if (!known && change.sport === undefined) return;
    if (!this.events.has(id)) changed.all = true;
    const value = { ...known, ...change };
    channel.events.set(id, { value, number: this.#number });
    this.events.set(id, value);
  }

  #applyMarket(change, name, channel, changed) {
    changed.changes += 1;
    const { id } = change;
    const known = channel.markets.get(id)?.value;
    if (change.removed) {
      const shown = this.markets.get(id);
      const gone = [id];
      channel.markets.delete(id);
      if (name.startsWith("market:")) {
        // Nothing else will be said of its event in this channel.
        gone.push(...channel.events.keys());
        channel.events.clear();
        changed.all = true;
      }
      this.#show(gone);
      if (shown) changed.events.add(shown.event);
      return;
    }
    // A change with its event is the whole market.
    if (change.event === undefined && !known) return;
    const value = change.event === undefined ? this.#merged(known, change) : change;
    noteMoves(this.markets.get(id), value, changed);
    channel.markets.set(id, { value, number: this.#number });
    this.markets.set(id, value);
    changed.events.add(value.event);
  }

  #merged(known, change) {
    const selections = { ...known.selections };
    for (const [key, selection] of Object.entries(change.selections ?? {})) selections[key] = { ...selections[key], ...selection };
    return { ...known, ...change, selections };
  }
}

function noteMoves(before, market, changed) {
  if (!before) return;
  for (const [key, { price }] of Object.entries(market.selections)) {
    const previous = before.selections[key]?.price;
    // Prices of fractional odds are text.
    if (typeof previous !== "number" || typeof price !== "number" || previous === price) continue;
    changed.moves.push({ market: market.id, selection: key, up: price > previous });
  }
}
