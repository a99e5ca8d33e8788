// The board: every event by sport and time, with what is suspended of it.

import { element, setText } from "../../dom.js";
import { title } from "../../names.js";
import { startText } from "../parts/ages.js";
import { ACTIONS, askCommand } from "../parts/command_dialog.js";
import { askLift } from "../parts/dialog.js";
import { List } from "../parts/list.js";

const LOADING = "Loading";
const COLUMNS = [
  { key: "time", name: "Time" }, { key: "name", name: "Event" }, { key: "competition", name: "Competition" }, { key: "score", name: "Score" },
  { key: "state", name: "State" }, { key: "markets", name: "Markets" }, { key: "suspended", name: "Suspended" },
];
// What can be done to a whole event.
const OF_EVENTS = ["suspend", "limit", "bet_delay_s", "book_sum", "result", "note"];
const STATES = {
  "": "all states", in_play: "in play", upcoming: "not started", suspended: "with suspensions", guard: "suspended by guards", trader: "suspended by people",
};

/** In play first, ended last. */
const rank = (event) => (event.in_play ? 0 : event.score == null ? 1 : 2);

export class Board {
  #wanted = true;

  /** @param {{live: import("../live.js").Live, commanding: import("../commanding.js").Commanding, go: (view: string, key?: string) => void}} console */
  constructor(console) {
    this.console = console;
    this.live = console.live;
    this.search = element("input", { type: "search", id: "search", placeholder: "Search  /", "aria-label": "Search events", autocomplete: "off" });
    this.sport = element("select", { "aria-label": "Sport" }, element("option", { value: "", text: "all sports" }));
    this.state = element("select", { "aria-label": "State" });
    for (const [value, text] of Object.entries(STATES)) this.state.append(element("option", { value, text }));
    this.count = element("span", { class: "count", role: "status" });
    this.list = new List({
      label: "Events", kind: "board", columns: COLUMNS,
      render: (cells, event, row) => this.#drawRow(cells, event, row),
      open: (event) => console.go("event", event.id),
    });
    this.root = element("section", { class: "view", "aria-label": "Board" },
      element("div", { class: "bar" }, this.search, this.sport, this.state, this.count), this.list.root);
    for (const input of [this.search, this.sport, this.state]) {
      input.addEventListener("input", () => {
        this.#wanted = true;
        console.redraw();
      });
    }
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.search.value ? this.#clear() : this.search.blur();
      else if (event.key === "Enter" || event.key === "ArrowDown") this.list.root.focus();
      else return;
      event.preventDefault();
    });
  }

  show() {
    this.#wanted = true;
    if (document.activeElement !== this.search) this.list.root.focus();
  }

  draw(changed) {
    // What is filtered by a state that moves is filtered again with every change.
    const hasLoaded = this.live.isLoaded && this.count.textContent === LOADING;
    const isAnew = this.#wanted || hasLoaded || changed.all || [...changed.events].some((id) => this.#moves(id));
    this.#wanted = false;
    if (isAnew) this.#fill();
    else if (changed.events.size) this.list.draw(new Set([...changed.events].map((id) => `event ${id}`)));
  }

  key(event) {
    const selected = this.list.selected;
    switch (event.key) {
      case "/":
        this.search.focus();
        this.search.select();
        return true;
      case "l":
        if (selected) askLift(this.console.commanding, this.console.commanding.concerning(selected), selected.name);
        return true;
      default: {
        const action = OF_EVENTS.find((name) => ACTIONS[name].key === event.key);
        if (!action) return this.list.key(event);
        if (selected) askCommand(this.console.commanding, action, { event: this.live.events.get(selected.id) ?? selected });
        return true;
      }
    }
  }

  #clear() {
    this.search.value = "";
    this.#wanted = true;
    this.console.redraw();
  }

  /** Check whether an event may have to be moved, shown or hidden. */
  #moves(id) {
    const event = this.live.events.get(id);
    const item = this.list.items[this.list.positions?.get(`event ${id}`)];
    if (!event || !item) return event !== undefined && this.#matches(event);
    return rank(event) !== item.rank || event.start !== item.start || event.name !== item.name || !this.#matches(event);
  }

  #matches(event) {
    if (this.sport.value && event.sport !== this.sport.value) return false;
    const text = this.search.value.trim().toLowerCase();
    if (text && !`${event.name} ${event.competition.name} ${event.id}`.toLowerCase().includes(text)) return false;
    switch (this.state.value) {
      case "in_play": return event.in_play;
      case "upcoming": return !event.in_play && event.score == null;
      case "": return true;
    }
    const { trader, source, guard } = this.live.summaryOf(event.id);
    return { suspended: trader + source + guard, guard, trader }[this.state.value] > 0;
  }

  #fill() {
    const events = [...this.live.events.values()];
    this.#fillSports(new Set(events.map((event) => event.sport)));
    const shown = events.filter((event) => this.#matches(event)).sort((a, b) =>
      a.sport.localeCompare(b.sport) || rank(a) - rank(b) || String(a.start).localeCompare(String(b.start)) || a.id.localeCompare(b.id));
    const items = [];
    let sport;
    for (const event of shown) {
      if (event.sport !== sport) items.push({ key: `sport ${event.sport}`, heading: title(event.sport) });
      sport = event.sport;
      const { id, name, in_play, start, competition } = event;
      items.push({ key: `event ${id}`, id, sport, name, in_play, start, competition, rank: rank(event) });
    }
    this.list.setItems(items);
    if (!this.live.isLoaded) setText(this.count, LOADING);
    else setText(this.count, shown.length === events.length ? `${events.length} events` : `${shown.length} of ${events.length} events`);
  }

  #fillSports(sports) {
    const names = [...sports].sort();
    if (this.sports === names.join(" ")) return;
    this.sports = names.join(" ");
    const { value } = this.sport;
    this.sport.replaceChildren(element("option", { value: "", text: "all sports" }), ...names.map((name) => element("option", { value: name, text: title(name) })));
    this.sport.value = sports.has(value) ? value : "";
  }

  #drawRow(cells, { id }, row) {
    const event = this.live.events.get(id);
    if (!event) return;
    const { total, trader, source, guard } = this.live.summaryOf(id);
    const suspended = trader + source + guard;
    const isStale = this.live.store.isStale(id);
    setText(cells.time, event.in_play ? event.clock ?? "" : startText(event.start));
    if (!cells.link) cells.name.append((cells.link = element("a", { tabindex: "-1", href: `#event=${encodeURIComponent(id)}` })));
    setText(cells.link, event.name);
    setText(cells.competition, event.competition.name);
    setText(cells.score, event.score ?? "");
    setText(cells.state, isStale ? "Out of date" : event.in_play ? "In play" : event.score != null ? "Ended" : "Not started");
    setText(cells.markets, String(total));
    const parts = [[trader, "by traders"], [source, "by sources"], [guard, "by guards"]].filter(([count]) => count).map(([count, who]) => `${count} ${who}`);
    setText(cells.suspended, suspended === 0 ? "" : `${suspended === total ? "all: " : ""}${parts.join(", ")}`);
    row.dataset.event = id;
    row.dataset.trouble = suspended === 0 ? "" : guard ? "guard" : suspended === total ? "all" : "some";
    row.classList.toggle("in-play", Boolean(event.in_play));
    row.classList.toggle("ended", !event.in_play && event.score != null);
    cells.name.title = `${event.name}\n${id}`;
    cells.competition.title = event.competition.name;
    row.classList.toggle("stale", isStale);
  }
}
