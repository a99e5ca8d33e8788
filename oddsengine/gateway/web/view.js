// Draws what is on offer. Nodes are reused and only changed text is written, to keep drawing cheap at any update rate.

import { element, setText } from "./dom.js";
import { marketName, selectionKeys, sideLine, startText, title } from "./names.js";

// Markets with more selections than this are collapsed.
const MAX_OPEN_SELECTIONS = 6;
const NO_PRICE = "–";
// How the selections of a market are laid out, by their number; others fill the rows.
const SHAPES = { 2: "two", 3: "three" };

export class OddsView {
  constructor(root, filters, empty) {
    this.root = root;
    this.filters = filters;
    this.empty = empty;
    this.filter = "";
    /** event id -> its card: the nodes that are updated */
    this.cards = new Map();
    /** `${market} ${selection}` -> price node */
    this.prices = new Map();
  }

  /** Draw all events, reusing the nodes of those already on the page. */
  drawAll(store) {
    // A node that is put into the page anew would flash once more.
    for (const price of this.root.querySelectorAll(".price:is(.up, .down)")) price.classList.remove("up", "down");
    const groups = new Map();
    for (const event of store.events.values()) {
      const key = `${event.sport}\u0000${event.competition.id}`;
      if (!groups.has(key)) groups.set(key, { sport: event.sport, competition: event.competition, events: [] });
      groups.get(key).events.push(event);
    }
    const ordered = [...groups.values()].sort((a, b) =>
      a.sport.localeCompare(b.sport) || a.competition.name.localeCompare(b.competition.name));
    this.#drawFilters(ordered);
    for (const id of [...this.cards.keys()]) if (!store.events.has(id)) this.#removeEvent(id);
    const markets = Map.groupBy ? Map.groupBy(store.markets.values(), (market) => market.event) : groupByEvent(store);
    const sections = [];
    const stale = store.stale;
    for (const group of ordered) {
      if (this.filter && this.filter !== group.competition.id) continue;
      const heading = `competition-${sections.length}`;
      const section = element("section", { class: "competition", "aria-labelledby": heading },
        element("h2", { id: heading }, element("span", { class: "sport", text: title(group.sport) }), ` ${group.competition.name}`));
      group.events.sort((a, b) => rank(a) - rank(b) || String(a.start).localeCompare(String(b.start)) || a.id.localeCompare(b.id));
      for (const event of group.events) section.append(this.drawEvent(event, markets.get(event.id) ?? [], store.isStale(event.id, stale)));
      sections.push(section);
    }
    this.root.replaceChildren(...sections);
    this.empty.hidden = store.events.size > 0;
  }

  /** Draw one event and its markets, which may be out of date; returns its node. */
  drawEvent(event, markets, isStale) {
    let card = this.cards.get(event.id);
    if (!card) {
      card = { first: element("span"), second: element("span"), state: element("span", { class: "state" }), score: element("span", { class: "score" }), markets: element("div", { class: "markets" }), rows: new Map() };
      card.node = element("article", { class: "event", "data-event": event.id },
        element("div", { class: "event-head" }, card.state, element("h3", {}, card.first, " ", card.score, " ", card.second)), card.markets);
      this.cards.set(event.id, card);
    }
    const sides = event.participants.length === 2 ? event.participants : [event.name, ""];
    setText(card.first, sides[0]);
    setText(card.second, sides[1]);
    setText(card.score, event.score ?? (sides[1] ? "v" : ""));
    card.score.classList.toggle("none", event.score == null);
    setText(card.state, event.in_play ? `In play ${event.clock ?? ""}`.trim() : hasEnded(event) ? "Ended" : startText(event.start));
    card.node.classList.toggle("in-play", Boolean(event.in_play));
    card.node.classList.toggle("stale", isStale);
    const ordered = [...markets].sort((a, b) => a.order - b.order || a.id.localeCompare(b.id));
    const wanted = new Set(ordered.map((market) => market.id));
    for (const [id, row] of card.rows) if (!wanted.has(id)) { row.node.remove(); card.rows.delete(id); this.#forgetPrices(id); }
    ordered.forEach((market, index) => {
      const node = this.#drawMarket(card, market);
      if (card.markets.children[index] !== node) card.markets.insertBefore(node, card.markets.children[index] ?? null);
    });
    return card.node;
  }

  #drawMarket(card, market) {
    let row = card.rows.get(market.id);
    const keys = selectionKeys(market);
    const shape = keys.join(" ");
    if (!row || row.shape !== shape) {
      const grid = element("div", { class: "selections" });
      const label = element("span", { class: "market-name", text: marketName(market, { withSides: true }) });
      const status = element("span", { class: "market-status" });
      const head = [label, " ", status];
      const node = keys.length > MAX_OPEN_SELECTIONS
        ? element("details", { class: "market" }, element("summary", {}, ...head), grid)
        : element("div", { class: "market" }, element("div", { class: "market-head" }, ...head), grid);
      if (row?.node.open) node.open = true;
      row?.node.replaceWith(node);
      row = { node, grid, status, shape };
      node.dataset.market = market.id;
      node.dataset.type = market.type;
      if (SHAPES[keys.length]) node.dataset.shape = SHAPES[keys.length];
      for (const key of keys) {
        const price = element("span", { class: "price" });
        const name = element("span");
        const line = element("span", { class: "line", text: sideLine(market, key) });
        grid.append(element("div", { class: "selection", "data-selection": key },
          element("span", { class: "selection-name" }, name, " ", line), price));
        this.prices.set(`${market.id} ${key}`, { price, name, tile: price.parentElement });
      }
      card.rows.set(market.id, row);
    }
    row.node.dataset.status = market.status;
    setText(row.status, market.status === "open" ? "" : title(market.status) + (market.reason ? `: ${title(market.reason)}` : ""));
    const names = keys.map((key) => market.selections[key].name).join(" ");
    if (row.names !== names) {
      row.names = names;
      row.grid.style.setProperty("--longest", Math.max(...names.split(/[\s-]+/).map((word) => word.length)));
    }
    for (const key of keys) {
      const { price, name, tile } = this.prices.get(`${market.id} ${key}`);
      const selection = market.selections[key];
      setText(name, selection.name);
      setText(price, selection.price == null ? NO_PRICE : selection.price.toFixed(2));
      if (selection.price == null) price.classList.remove("up", "down");
      tile.dataset.status = selection.status;
    }
    return row.node;
  }

  /** Flash prices that moved. */
  flash(moves) {
    for (const { market, selection, up } of moves) {
      const cell = this.prices.get(`${market} ${selection}`)?.price;
      // It may have been withdrawn after it moved.
      if (!cell || cell.textContent === NO_PRICE) continue;
      cell.classList.remove("up", "down");
      void cell.offsetWidth; // restarts the animation
      cell.classList.add(up ? "up" : "down");
    }
  }

  #drawFilters(groups) {
    const key = groups.map((group) => group.competition.id).join(" ") + this.filter;
    if (this.filtersKey === key) return;
    this.filtersKey = key;
    if (this.filter && !groups.some((group) => group.competition.id === this.filter)) this.filter = "";
    const button = (id, text) => element("button", { type: "button", "data-filter": id, "aria-pressed": String(this.filter === id), text });
    const focused = document.activeElement?.dataset?.filter;
    this.filters.replaceChildren(button("", "All"), ...groups.map((group) => button(group.competition.id, group.competition.name)));
    if (focused !== undefined) this.filters.querySelector(`[data-filter="${CSS.escape(focused)}"]`)?.focus();
  }

  #removeEvent(id) {
    const card = this.cards.get(id);
    for (const market of card.rows.keys()) this.#forgetPrices(market);
    card.node.remove();
    this.cards.delete(id);
  }

  #forgetPrices(market) {
    for (const key of [...this.prices.keys()]) if (key.startsWith(`${market} `)) this.prices.delete(key);
  }
}

const hasEnded = (event) => !event.in_play && event.score != null;
/** What is in play comes first, then what is to come. */
const rank = (event) => (event.in_play ? 0 : hasEnded(event) ? 2 : 1);

function groupByEvent(store) {
  const markets = new Map();
  for (const market of store.markets.values()) {
    if (!markets.has(market.event)) markets.set(market.event, []);
    markets.get(market.event).push(market);
  }
  return markets;
}
