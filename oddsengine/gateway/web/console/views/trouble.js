// Trouble first: markets that guards have suspended, feeds that are not live, and pairs of events to settle.

import { element, setText } from "../../dom.js";
import { marketName, title } from "../../names.js";
import { askCommand, askLift } from "../parts/dialog.js";
import { List } from "../parts/list.js";
import { causeOf, reasonText } from "../reasons.js";
import { clockText } from "../parts/ages.js";

const COLUMNS = [{ key: "event", name: "Event" }, { key: "name", name: "Market" }, { key: "reason", name: "Reason" }, { key: "why", name: "Because" }];

export class TroubleView {
  #wanted = true;
  #pairs = "";

  constructor(console) {
    this.console = console;
    this.live = console.live;
    this.feeds = element("ul", { class: "plain" });
    this.pairs = element("div", { class: "pairs" });
    this.guarded = element("h2", { id: "guarded" });
    this.list = new List({
      label: "Markets suspended by guards", kind: "trouble", columns: COLUMNS,
      render: (cells, item, row) => this.#drawRow(cells, item, row), open: (item) => console.go("event", item.key),
    });
    this.feedsHeading = element("h2");
    this.pairsHeading = element("h2");
    this.root = element("section", { class: "view", "aria-label": "Trouble" },
      element("div", { class: "upper" }, element("section", {}, this.feedsHeading, this.feeds), element("section", { class: "doubtful" }, this.pairsHeading, this.pairs)),
      this.guarded, this.list.root);
    this.pairs.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.#settle(button.closest(".pair"), button.dataset.action);
    });
  }

  show() {
    this.#wanted = true;
    this.list.root.focus();
  }

  draw(changed) {
    const isAnew = this.#wanted || changed.all || [...changed.markets].some((id) => {
      const market = this.live.market(id);
      return (market !== undefined && causeOf(market) === "guard") !== Boolean(this.list.positions?.has(id));
    });
    this.#wanted = false;
    if (isAnew) this.#fill();
    else this.list.draw(changed.markets);
    this.#drawFeeds();
    this.#drawPairs();
  }

  key(event) {
    const pair = document.activeElement?.closest?.(".pair");
    switch (event.key) {
      case "y": case "n":
        // Without the focus on one it goes to the first, so that nobody settles what they have not read.
        if (pair) this.#settle(pair, event.key === "y" ? "match" : "unmatch");
        else this.pairs.firstElementChild?.focus();
        return true;
      case "s": case "l": return this.#command(event.key);
      default: return pair ? false : this.list.key(event);
    }
  }

  #command(key) {
    const market = this.live.market(this.list.selectedKey);
    const event = market && this.live.events.get(market.event);
    if (!event) return true;
    const { commanding } = this.console;
    if (key === "s") askCommand(commanding, "suspend", { event, market });
    else askLift(commanding, commanding.concerning(event, market), `${event.name}, ${marketName(market)}`);
    return true;
  }

  #fill() {
    const markets = [];
    const bySource = new Map();
    for (const market of this.live.store.markets.values()) {
      const cause = causeOf(market);
      if (cause === "guard") markets.push(market);
      else if (cause === "source") bySource.set(market.reason, (bySource.get(market.reason) ?? 0) + 1);
    }
    markets.sort((a, b) => String(a.reason).localeCompare(String(b.reason)) || a.id.localeCompare(b.id));
    this.list.setItems(markets.map((market) => ({ key: market.id })));
    const others = [...bySource].map(([reason, count]) => `${count} ${title(reason).toLowerCase()}`).join(", ");
    setText(this.guarded, `Markets suspended by guards: ${markets.length}${others ? `, by their sources: ${others}` : ""}`);
  }

  #drawRow(cells, { key }, row) {
    const market = this.live.market(key);
    if (!market) return;
    setText(cells.event, this.live.events.get(market.event)?.name ?? market.event);
    setText(cells.name, marketName(market));
    setText(cells.reason, title(market.reason ?? ""));
    setText(cells.why, reasonText(market.reason));
    row.dataset.trouble = "guard";
    row.dataset.market = key;
  }

  #drawFeeds() {
    const { feeds, problem } = this.console.engine;
    const down = feeds.filter((feed) => feed.state !== "live");
    setText(this.feedsHeading, problem ? "Feeds" : down.length ? `Feeds not live: ${down.length} of ${feeds.length}` : "Feeds: all live");
    const texts = problem ? [problem] : down.map((feed) => `${feed.feed}: ${feed.state}${feed.reason ? `, ${feed.reason}` : ""}${feed.since ? `, since ${clockText(feed.since)}` : ""}`);
    const signature = texts.join("\n");
    if (signature === this.feedsDrawn) return;
    this.feedsDrawn = signature;
    this.feeds.replaceChildren(...texts.map((text) => element("li", { class: problem ? "quiet" : "suspends", text })));
  }

  #drawPairs() {
    const { unmatched, problem } = this.console.engine;
    setText(this.pairsHeading, problem ? "Doubtful pairs" : `Doubtful pairs: ${unmatched.length}`);
    const signature = JSON.stringify(unmatched.map(({ events }) => events.map(({ id }) => id)));
    if (signature === this.#pairs) return;
    this.#pairs = signature;
    const focused = document.activeElement?.closest?.(".pair")?.dataset.pair;
    this.pairs.replaceChildren(...unmatched.map((pair) => this.#pair(pair)));
    if (focused) [...this.pairs.children].find((node) => node.dataset.pair === focused)?.focus();
  }

  #pair({ events, score, reason }) {
    const side = ({ id, name, competition, sport, start }) => element("div", { class: "side" }, element("strong", { text: name }),
      element("span", { text: `${title(sport)}, ${competition}` }), element("span", { text: start ? new Date(start).toLocaleString() : "no start" }), element("code", { text: id }));
    const button = (action, text, key) => element("button", { type: "button", "data-action": action }, `${text} `, element("kbd", { text: key }));
    const node = element("div", { class: "pair", tabindex: "0", role: "group", "aria-label": `${events[0].name} and ${events[1].name}` },
      side(events[0]), side(events[1]), element("p", { class: "quiet", text: `${Math.round(score * 100)} % alike: ${reason}` }),
      element("div", { class: "buttons" }, button("match", "The same", "y"), button("unmatch", "Not the same", "n")));
    node.dataset.pair = JSON.stringify(events.map(({ id }) => id));
    return node;
  }

  #settle(node, action) {
    if (!node?.dataset?.pair) return;
    const [event, other] = JSON.parse(node.dataset.pair);
    (node.nextElementSibling ?? node.previousElementSibling ?? this.list.root).focus();
    this.console.attempt(() => this.console.commanding.make({ action, scope: { event }, values: other, reason: "settled in the console", expires: null }))
      .then(() => this.console.engine.refresh());
  }
}
