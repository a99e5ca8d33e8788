// The current state of what is on offer, built from the stream's messages. Independent of the DOM.

export class OddsStore {
  constructor() {
    /** @type {Map<string, object>} */
    this.events = new Map();
    /** @type {Map<string, object>} */
    this.markets = new Map();
    this.snapshotParts = null;
  }

  /**
   * Apply a message and return what it changed.
   * @returns {{all: boolean, events: Set<string>, moves: {market: string, selection: string, up: boolean}[], changes: number}}
   */
  apply(message) {
    const changed = { all: false, events: new Set(), moves: [], changes: 0 };
    if (message.op === "snapshot") {
      // A snapshot replaces its channel's state once its last part has arrived.
      if (message.part === 1) this.snapshotParts = { events: new Map(), markets: new Map() };
      if (!this.snapshotParts) return changed;
      for (const event of message.events) this.snapshotParts.events.set(event.id, event);
      for (const market of message.markets) this.snapshotParts.markets.set(market.id, market);
      if (message.last) {
        this.#clear(message.channel);
        for (const [id, event] of this.snapshotParts.events) this.events.set(id, event);
        for (const [id, market] of this.snapshotParts.markets) this.markets.set(id, market);
        this.snapshotParts = null;
        changed.all = true;
      }
    } else if (message.op === "delta") {
      for (const event of message.events ?? []) this.#applyEvent(event, changed);
      for (const market of message.markets ?? []) this.#applyMarket(market, changed);
    }
    return changed;
  }

  /** Remove the events and markets of a channel `sport:<key>`. */
  #clear(channel) {
    const sport = channel.slice("sport:".length);
    for (const [id, event] of this.events) if (event.sport === sport) this.events.delete(id);
    for (const [id, market] of this.markets) if (!this.events.has(market.event)) this.markets.delete(id);
  }

  #applyEvent(change, changed) {
    changed.events.add(change.id);
    if (change.removed) {
      this.events.delete(change.id);
      for (const [id, market] of this.markets) if (market.event === change.id) this.markets.delete(id);
      changed.all = true;
      return;
    }
    if (change.sport !== undefined && !this.events.has(change.id)) changed.all = true;
    this.events.set(change.id, { ...this.events.get(change.id), ...change });
  }

  #applyMarket(change, changed) {
    changed.changes += 1;
    const known = this.markets.get(change.id);
    if (change.removed) {
      this.markets.delete(change.id);
      if (known) changed.events.add(known.event);
      return;
    }
    // A change with its event is the whole market.
    if (change.event !== undefined) {
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
