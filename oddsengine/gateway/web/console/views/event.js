// An event with its markets, and one of them in detail.

import { element, setText } from "../../dom.js";
import { marketName, selectionKeys, selectionName, title } from "../../names.js";
import { startText } from "../parts/ages.js";
import { ACTIONS, askCommand } from "../parts/command_dialog.js";
import { askLift } from "../parts/dialog.js";
import { List } from "../parts/list.js";
import { causeOf, reasonText } from "../reasons.js";
import { MarketDetail } from "./market.js";

const COLUMNS = [{ key: "name", name: "Market" }, { key: "prices", name: "Prices" }, { key: "status", name: "Status" }];
const PRICES_SHOWN = 3;
// The address follows the selection once it rests: browsers make it wait.
const NAMED_AFTER_MS = 300;

/** What became of a closed market, as far as its source or a person has said. */
function outcomeText(market) {
  const resulted = selectionKeys(market).filter((key) => market.selections[key].result);
  const won = resulted.filter((key) => market.selections[key].result === "winner").map((key) => selectionName(key, market.selections[key]));
  if (won.length) return `${won.join(", ")} won`;
  return resulted.length && resulted.every((key) => market.selections[key].result === "void") ? "void" : "–";
}

export class EventView {
  #wanted = true;
  #id;
  #naming;

  constructor(console) {
    this.console = console;
    this.live = console.live;
    this.name = element("h2");
    this.facts = element("p", { class: "facts" });
    this.list = new List({
      label: "Markets", kind: "markets", columns: COLUMNS,
      render: (cells, item, row) => this.#drawRow(cells, item, row),
      selected: (item) => this.#select(item),
    });
    this.detail = new MarketDetail(console, (action) => this.#act(action));
    const back = element("a", { class: "back", href: "#board", text: "Board" });
    this.gone = element("p", { class: "empty", role: "status" });
    const suspend = element("button", { type: "button", text: "Suspend the event" });
    suspend.addEventListener("click", () => this.#event && askCommand(this.console.commanding, "suspend", { event: this.#event }));
    this.head = element("div", { class: "event-head" }, back, this.name, this.facts, suspend);
    this.panes = element("div", { class: "panes" }, this.list.root, this.detail.root);
    this.root = element("section", { class: "view", "aria-label": "Event" }, this.head, this.gone, this.panes);
  }

  get #event() {
    return this.live.events.get(this.#id);
  }

  /** @param {string} id of an event, or of a market to be selected */
  show(id) {
    const market = this.live.market(id) ?? (id.includes("/") ? { id, event: id.slice(0, id.indexOf("/")) } : undefined);
    const event = market?.event ?? id;
    if (event !== this.#id) this.list.selectedKey = undefined;
    this.#id = event;
    if (market) this.list.selectedKey = market.id;
    this.#wanted = true;
    this.detail.isShown = true;
    this.list.root.focus({ preventScroll: true });
  }

  hide() {
    this.detail.isShown = false;
  }

  draw(changed) {
    const event = this.#event;
    this.gone.hidden = event !== undefined;
    setText(this.gone, this.live.isLoaded ? "This event is not on offer." : "Loading");
    this.panes.hidden = event === undefined;
    if (!event) {
      setText(this.name, this.#id ?? "");
      return;
    }
    if (this.#wanted || changed.all || changed.events.has(event.id)) this.#drawEvent(event, changed);
    this.detail.draw(changed, event);
  }

  tick() {
    this.detail.tick();
  }

  key(event) {
    if (event.key === "Escape" || event.key === "Backspace") {
      this.console.go("board");
      return true;
    }
    const action = Object.keys(ACTIONS).find((name) => ACTIONS[name].key === event.key);
    if (action) return this.#act(action);
    if (event.key === "l") return this.#act("lift");
    if (event.key === "c") return this.#confirm();
    return this.list.key(event);
  }

  #act(action) {
    const event = this.#event;
    const market = this.live.market(this.list.selectedKey);
    if (!event || !market) return true;
    const { commanding } = this.console;
    if (action === "lift") askLift(commanding, commanding.concerning(event, market), `${event.name}, ${marketName(market)}`);
    else askCommand(commanding, action, { event, market });
    return true;
  }

  /** Confirm the newest proposal for the market, if this person may. */
  #confirm() {
    const { commanding } = this.console;
    const [command] = this.#event ? commanding.proposedFor(this.#event, this.live.market(this.list.selectedKey)) : [];
    if (!command) this.console.say("Nothing is to be confirmed here.");
    else if (commanding.whyNotConfirm(command)) this.console.say(`Not confirmed: ${commanding.whyNotConfirm(command)}.`, { isProblem: true });
    else this.console.attempt(() => commanding.confirm(command));
    return true;
  }

  #select(item) {
    this.detail.show(item?.key);
    if (item && !this.root.hidden) {
      clearTimeout(this.#naming);
      this.#naming = setTimeout(() => { if (!this.root.hidden) history.replaceState(null, "", `#event=${encodeURIComponent(item.key)}`); }, NAMED_AFTER_MS);
    }
    this.console.redraw();
  }

  #drawEvent(event, changed) {
    setText(this.name, event.name);
    const { total, open } = this.live.summaryOf(event.id);
    const state = event.in_play ? `in play ${event.clock ?? ""}`.trim() : event.score != null ? "ended" : `starts ${startText(event.start)}`;
    setText(this.facts, [title(event.sport), event.competition.name, event.score, state, total ? `${open} of ${total} markets open` : "all markets closed"].filter(Boolean).join(" · "));
    const markets = this.live.marketsOf(event.id);
    const isAnew = this.#wanted || changed.all || markets.size !== this.list.items.length || [...changed.markets].some((id) => markets.has(id) && !this.list.positions.has(id));
    this.#wanted = false;
    if (!isAnew) return this.list.draw(changed.markets);
    const ordered = [...markets.values()].sort((a, b) => a.order - b.order || a.id.localeCompare(b.id));
    this.list.setItems(ordered.map((market) => ({ key: market.id })));
    const selected = this.list.selectedKey;
    if (selected !== this.detail.id) this.detail.show(selected);
    if (selected) this.list.select(selected);
  }

  #drawRow(cells, { key }, row) {
    const market = this.live.market(key);
    if (!market) return;
    setText(cells.name, marketName(market));
    const all = selectionKeys(market);
    // Of many selections those that have a price.
    const keys = all.length > PRICES_SHOWN ? [...all.filter((each) => market.selections[each].price != null), ...all.filter((each) => market.selections[each].price == null)] : all;
    const prices = keys.slice(0, PRICES_SHOWN).map((each) => market.selections[each].price?.toFixed(2) ?? "–").join("  ");
    if (market.status === "closed") setText(cells.prices, outcomeText(market));
    else setText(cells.prices, keys.length > PRICES_SHOWN ? `${prices}  …` : prices);
    const isStale = this.live.store.isStale(key);
    setText(cells.status, isStale ? "out of date" : market.status === "open" ? "open" : market.reason ? `${market.status}: ${title(market.reason)}` : market.status);
    if (market.status === "suspended") cells.status.title = reasonText(market.reason);
    else cells.status.removeAttribute("title");
    row.dataset.market = key;
    row.dataset.status = market.status;
    row.dataset.trouble = causeOf(market) ?? "";
  }
}
