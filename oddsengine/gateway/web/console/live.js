// What is on offer and on the floor, live: the stream's state by event, what has changed since the last frame, and prices since the
// start.

import { OddsClient } from "../client.js";
import { OddsStore } from "../store.js";
import { CHANNELS, Floor } from "./floor.js";
import { PriceHistory } from "./history.js";
import { causeOf } from "./reasons.js";

const SPORTS_REFRESH_MS = 10_000;
const FIRST_RETRY_MS = 1000;
const NO_MARKETS = new Map();

/**
 * @typedef {object} Summary how many markets of an event there are, and in which state
 * @property {number} total all but the closed ones
 * @property {number} open
 * @property {number} trader suspended by a person
 * @property {number} source suspended by their source
 * @property {number} guard suspended by anything else
 */

export class Live {
  #summaries = new Map();
  #changed = { all: true, events: new Set(), markets: new Set() };
  #retry;
  #areSportsKnown = false;
  #loaded = new Set();

  /**
   * @param {import("./api.js").Api} api
   * @param {() => void} changed is called when there is something to draw
   * @param {(state: string, detail?: string) => void} state receives the state of the connection
   */
  constructor(api, changed, state) {
    this.api = api;
    this.changed = changed;
    this.store = new OddsStore();
    this.floor = new Floor();
    this.history = new PriceHistory();
    /** event id -> market id -> market */
    this.byEvent = new Map();
    /** the gateway's clock less this one's, milliseconds */
    this.clockOffsetMs = undefined;
    this.updates = 0;
    const url = new URL("v1/stream", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.search = url.hash = "";
    this.client = new OddsClient(url.href, {
      channels: CHANNELS,
      getToken: () => api.tokens.current(),
      onMessage: (message) => this.#receive(message),
      onState: (now, detail) => {
        state(now, detail);
        if (now === "refused") api.signIn({ status: 401, message: "a token is required" });
      },
    });
  }

  get events() {
    return this.store.events;
  }

  get nowMs() {
    return Date.now() + (this.clockOffsetMs ?? 0);
  }

  /** Whether all that is on offer has arrived. */
  get isLoaded() {
    return this.#areSportsKnown && this.client.channels.every((channel) => this.#loaded.has(channel));
  }

  start() {
    this.client.start();
    this.#findSports();
  }

  stop() {
    clearTimeout(this.#retry);
    this.client.stop();
  }

  marketsOf(event) {
    return this.byEvent.get(event) ?? NO_MARKETS;
  }

  market(id) {
    return this.store.markets.get(id);
  }

  /** @returns {Summary} */
  summaryOf(event) {
    let summary = this.#summaries.get(event);
    if (summary) return summary;
    summary = { total: 0, open: 0, trader: 0, source: 0, guard: 0 };
    for (const market of this.marketsOf(event).values()) {
      if (market.status === "closed") continue;
      summary.total += 1;
      summary[causeOf(market) ?? "open"] += 1;
    }
    this.#summaries.set(event, summary);
    return summary;
  }

  /** Return what has changed since the last call: everything (`all`), events and markets by id. */
  takeChanges() {
    const changed = this.#changed;
    this.#changed = { all: false, events: new Set(), markets: new Set() };
    return changed;
  }

  #receive(message) {
    if (message.ts !== undefined) this.#compareClocks(message.ts);
    if (message.op === "snapshot" && message.last) this.#loaded.add(message.channel);
    if (message.op === "refused" && message.code === "forbidden" && CHANNELS.includes(message.channel)) {
      return this.api.signIn({ status: 403, message: message.message });
    }
    if (this.floor.receive(message)) return this.changed();
    const changed = this.store.apply(message);
    this.#changed.all ||= changed.all;
    for (const id of changed.events) this.#note(id);
    if (message.op === "delta") this.#applyDelta(message);
    else if (changed.all) this.#rebuild();
    this.updates += changed.changes;
    this.changed();
  }

  #note(event) {
    this.#changed.events.add(event);
    this.#summaries.delete(event);
  }

  #applyDelta(message) {
    const nowMs = Date.now();
    for (const { id, removed } of message.events ?? []) {
      if (!removed || this.events.has(id)) continue;
      for (const market of this.marketsOf(id).keys()) this.history.forget(market);
      this.byEvent.delete(id);
    }
    for (const { id } of message.markets ?? []) {
      const market = this.market(id);
      this.#changed.markets.add(id);
      if (!market) {
        this.byEvent.get(id.slice(0, id.indexOf("/")))?.delete(id);
        this.history.forget(id);
        continue;
      }
      let markets = this.byEvent.get(market.event);
      if (!markets) this.byEvent.set(market.event, (markets = new Map()));
      markets.set(id, market);
      this.history.note(market, nowMs);
    }
  }

  #rebuild() {
    const nowMs = Date.now();
    this.byEvent.clear();
    this.#summaries.clear();
    for (const market of this.store.markets.values()) {
      let markets = this.byEvent.get(market.event);
      if (!markets) this.byEvent.set(market.event, (markets = new Map()));
      markets.set(market.id, market);
      this.history.note(market, nowMs);
    }
    for (const id of [...this.history.markets.keys()]) if (!this.market(id)) this.history.forget(id);
  }

  /** A message that took less time than others shows best what the gateway's clock says. */
  #compareClocks(ts) {
    const offset = ts - Date.now();
    this.clockOffsetMs = this.clockOffsetMs === undefined ? offset : Math.max(offset, this.clockOffsetMs - 0.1);
  }

  get #hasSports() {
    return this.client.channels.length > CHANNELS.length;
  }

  /** Subscribe to every sport on offer, and repeat: a new sport appears with its first event. */
  async #findSports() {
    clearTimeout(this.#retry);
    let retryMs = this.#hasSports ? SPORTS_REFRESH_MS : FIRST_RETRY_MS;
    try {
      const { events } = await this.api.get("v1/events");
      for (const sport of new Set(events.map((event) => event.sport))) this.client.subscribe(`sport:${sport}`);
      this.#areSportsKnown = true;
      if (this.#hasSports) retryMs = SPORTS_REFRESH_MS;
    } catch (problem) {
      if (problem.status === 401) return; // `start` again with another token
      retryMs = Math.max(retryMs, 1000 * (problem.retryAfterS ?? 0));
    }
    clearTimeout(this.#retry);
    if (!this.client.stopped) this.#retry = setTimeout(() => this.#findSports(), retryMs);
  }
}
