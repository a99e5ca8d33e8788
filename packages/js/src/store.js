// The current state of what is on offer, built from the stream's messages and what the client says of the connection.
// Independent of the DOM. oddsengine/client/state.py follows the same rules.

export class OddsStore {
  constructor() {
    /** @type {Map<string, object>} */
    this.events = new Map();
    /** @type {Map<string, object>} */
    this.markets = new Map();
    /** channel -> events and markets of a snapshot whose last part has not arrived */
    this.parts = new Map();
    /** channel -> ids of the events and markets that it contains */
    this.ids = new Map();
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
    const silent = this.silentSince === undefined ? [] : [...this.ids.keys()].map((channel) => [channel, this.silentSince]);
    return new Map([...silent, ...this.announcedStale, ...this.unconfirmed]);
  }

  /** Check whether no channel that is current contains an event or market. */
  isStale(id, stale = this.stale) {
    if (!stale.size) return false;
    for (const [channel, ids] of this.ids) if (ids.has(id) && !stale.has(channel)) return false;
    return true;
  }

  /**
   * Apply a message and return what it changed.
   * @returns {{all: boolean, events: Set<string>, moves: {market: string, selection: string, up: boolean}[], changes: number}}
   */
  apply(message) {
    const changed = { all: false, events: new Set(), moves: [], changes: 0 };
    // A channel of the console has nothing that is on offer.
    if (message.channel?.startsWith("console:")) return changed;
    switch (message.op) {
      case "snapshot":
        this.#applySnapshot(message, changed);
        return changed;
      case "delta":
        this.#applyDelta(message, changed);
        return changed;
      case "subscribed":
        if (message.resumed) for (const channel of message.channels) this.resuming.add(channel);
        return changed;
      case "stale":
        this.#confirm(message.channel);
        this.announcedStale.set(message.channel, message.since);
        break;
      case "live":
        this.#confirm(message.channel);
        this.announcedStale.delete(message.channel);
        break;
      case "heartbeat":
        // It is sent only to clients that have been sent everything.
        if (!this.resuming.size) return changed;
        for (const channel of [...this.resuming]) this.#confirm(channel);
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
      default:
        return changed;
    }
    changed.all = true;
    return changed;
  }

  #lose(since) {
    this.parts.clear();
    this.silentSince = undefined;
    for (const channel of this.ids.keys()) {
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
  #drop(channel) {
    for (const map of [this.parts, this.announcedStale]) map.delete(channel);
    this.#confirm(channel);
    const ids = this.ids.get(channel) ?? new Set();
    this.ids.delete(channel);
    this.#remove(ids);
  }

  /** Remove what no channel contains any more. */
  #remove(ids) {
    for (const id of ids) {
      if ([...this.ids.values()].some((contained) => contained.has(id))) continue;
      this.events.delete(id);
      this.markets.delete(id);
    }
  }

  #applySnapshot(message, changed) {
    const { channel } = message;
    if (message.part === 1) this.parts.set(channel, { events: new Map(), markets: new Map() });
    const parts = this.parts.get(channel);
    if (!parts) return; // the first part came on another connection
    for (const event of message.events) parts.events.set(event.id, event);
    for (const market of message.markets) parts.markets.set(market.id, market);
    if (!message.last) return;
    // A snapshot replaces its channel's state once its last part has arrived.
    this.parts.delete(channel);
    const before = this.ids.get(channel) ?? new Set();
    this.ids.set(channel, new Set([...parts.events.keys(), ...parts.markets.keys()]));
    this.#remove(before);
    for (const [id, event] of parts.events) this.events.set(id, event);
    for (const [id, market] of parts.markets) this.markets.set(id, market);
    this.#confirm(channel);
    changed.all = true;
  }

  #applyDelta(message, changed) {
    if (!this.ids.has(message.channel)) this.ids.set(message.channel, new Set());
    const ids = this.ids.get(message.channel);
    for (const event of message.events ?? []) this.#applyEvent(event, ids, changed);
    for (const market of message.markets ?? []) this.#applyMarket(market, ids, changed);
  }

  #applyEvent(change, ids, changed) {
    changed.events.add(change.id);
    if (change.removed) {
      const gone = [change.id, ...[...ids].filter((id) => this.markets.get(id)?.event === change.id)];
      for (const id of gone) ids.delete(id);
      this.#remove(gone);
      changed.all = true;
      return;
    }
    // A change with its sport is the whole event.
    if (!this.events.has(change.id) && change.sport === undefined) return;
    ids.add(change.id);
    if (!this.events.has(change.id)) changed.all = true;
    this.events.set(change.id, { ...this.events.get(change.id), ...change });
  }

  #applyMarket(change, ids, changed) {
    changed.changes += 1;
    const known = this.markets.get(change.id);
    if (change.removed) {
      ids.delete(change.id);
      this.#remove([change.id]);
      if (known) changed.events.add(known.event);
      return;
    }
    // A change with its event is the whole market.
    if (change.event !== undefined) {
      ids.add(change.id);
      this.markets.set(change.id, change);
      changed.events.add(change.event);
      return;
    }
    if (!known) return;
    changed.events.add(known.event);
    const selections = { ...known.selections };
    for (const [key, selection] of Object.entries(change.selections ?? {})) {
      const before = selections[key]?.price;
      selections[key] = { ...selections[key], ...selection };
      if (before != null && selection.price != null && before !== selection.price) {
        changed.moves.push({ market: change.id, selection: key, up: selection.price > before });
      }
    }
    this.markets.set(change.id, { ...known, ...change, selections });
  }
}
