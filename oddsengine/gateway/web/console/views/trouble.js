// Trouble first: what no gateway or engine does, feeds that are not live, commands to confirm, pairs of events to settle, and markets
// that guards have suspended.

import { element, setText } from "../../dom.js";
import { marketName, title } from "../../names.js";
import { askCommand } from "../parts/command_dialog.js";
import { askLift } from "../parts/dialog.js";
import { List } from "../parts/list.js";
import { causeOf, reasonText } from "../reasons.js";
import { clockText } from "../parts/ages.js";

const COLUMNS = [{ key: "event", name: "Event" }, { key: "name", name: "Market" }, { key: "reason", name: "Reason" }, { key: "why", name: "Because" }];
const FEED_STATES = {
  down: "is down", connecting: "is connecting", recovering: "is loading its offer", lagging: "lags behind", stale: "is silent", unknown: "is reported by no process",
};

export class TroubleView {
  #wanted = true;
  #drawn = {};

  constructor(console) {
    this.console = console;
    this.live = console.live;
    this.alarms = element("ul", { class: "plain" });
    this.pairs = element("div", { class: "pairs" });
    this.proposals = element("div", { class: "holding" });
    this.guarded = element("h2", { id: "guarded" });
    this.list = new List({
      label: "Markets suspended by guards", kind: "trouble", columns: COLUMNS,
      render: (cells, item, row) => this.#drawRow(cells, item, row), open: (item) => console.go("event", item.key),
    });
    this.alarmsHeading = element("h2");
    this.pairsHeading = element("h2");
    this.proposalsHeading = element("h2");
    this.root = element("section", { class: "view", "aria-label": "Trouble" },
      element("div", { class: "upper" }, element("section", {}, this.alarmsHeading, this.alarms, this.proposalsHeading, this.proposals),
        element("section", { class: "doubtful" }, this.pairsHeading, this.pairs)),
      this.guarded, this.list.root);
    this.pairs.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.#settle(button.closest(".pair"), button.dataset.action);
    });
  }

  show() {
    this.#wanted = true;
    this.list.root.focus({ preventScroll: true });
  }

  draw(changed) {
    const isAnew = this.#wanted || changed.all || [...changed.markets].some((id) => {
      const market = this.live.market(id);
      return (market !== undefined && causeOf(market) === "guard") !== Boolean(this.list.positions?.has(id));
    });
    this.#wanted = false;
    if (isAnew) this.#fill();
    else this.list.draw(changed.markets);
    this.#drawAlarms();
    this.#drawProposals();
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
      case "c":
        this.#confirmFirst();
        return true;
      case "s": case "l": return this.#command(event.key);
      default: return pair ? false : this.list.key(event);
    }
  }

  #confirmFirst() {
    const focused = document.activeElement?.closest?.("[data-command]")?.dataset.command;
    const { proposed } = this.live.floor;
    if (!focused) return this.proposals.querySelector("button:not(:disabled)")?.focus();
    const command = proposed.find((each) => each.id === focused);
    if (command) this.console.attempt(() => this.console.commanding.confirm(command));
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
    setText(this.guarded, `Markets suspended by guards: ${markets.length}${others ? ` · by their sources: ${others}` : ""}`);
  }

  #drawRow(cells, { key }, row) {
    const market = this.live.market(key);
    if (!market) return;
    setText(cells.event, this.live.events.get(market.event)?.name ?? market.event);
    setText(cells.name, marketName(market));
    setText(cells.reason, title(market.reason ?? ""));
    setText(cells.why, reasonText(market.reason));
    for (const cell of Object.values(cells)) if (cell.title !== cell.textContent) cell.title = cell.textContent;
    row.dataset.trouble = "guard";
    row.dataset.market = key;
  }

  /** Draw a part if what it shows has changed. */
  #once(part, signature, draw) {
    if (this.#drawn[part] === signature) return;
    this.#drawn[part] = signature;
    draw();
  }

  #drawAlarms() {
    const { floor } = this.live;
    const feeds = [...floor.feeds.values()];
    const down = feeds.filter((feed) => feed.state !== "live" || feed.followed === false);
    setText(this.alarmsHeading, !floor.loaded.has("feeds") ? "Feeds" : down.length ? `Feeds not live: ${down.length} of ${feeds.length}` : feeds.length ? "Feeds: all live" : "Feeds: none");
    const texts = [...floor.alarms.map((alarm) => this.#alarmText(alarm)), ...down.map(feedText)];
    this.#once("alarms", texts.join("\n"), () => this.alarms.replaceChildren(...texts.map((text) => element("li", { class: "suspends", text }))));
  }

  #alarmText({ kind, shard, since, commands }) {
    if (kind === "late_commands") {
      const named = commands.map((id) => this.live.floor.commands.get(id)).filter(Boolean).map((command) => this.console.commanding.commandText(command));
      return `Not obeyed since ${clockText(since)}, in shard ${shard}: ${named.join("; ") || "some commands"}`;
    }
    if (kind === "stale_shard") return `Nothing is received of shard ${shard}${since ? ` since ${clockText(since)}` : ""}: its markets are suspended`;
    return `No engine reports since ${clockText(since)}: doubtful pairs and the feeds of engines are not known`;
  }

  #drawProposals() {
    const { proposed } = this.live.floor;
    const { commanding } = this.console;
    setText(this.proposalsHeading, proposed.length ? `To be confirmed: ${proposed.length}` : "");
    this.proposalsHeading.hidden = !proposed.length;
    this.#once("proposals", [commanding.person.sub, ...proposed.map(({ id }) => id)].join(), () => this.proposals.replaceChildren(...proposed.map((command) => {
      const problem = commanding.whyNotConfirm(command);
      const confirm = element("button", { type: "button", ...(problem ? { disabled: "", title: problem } : {}) }, "Confirm ", element("kbd", { text: "c" }));
      confirm.addEventListener("click", () => this.console.attempt(() => commanding.confirm(command)));
      return element("p", { "data-command": command.id }, element("strong", { text: commanding.commandText(command) }),
        ` by ${command.author}${command.reason ? `: ${command.reason}` : ""}${problem ? ` (${problem})` : ""} `, confirm);
    })));
  }

  #drawPairs() {
    const { pairs } = this.live.floor;
    setText(this.pairsHeading, `Doubtful pairs: ${pairs.length}`);
    this.#once("pairs", pairs.map(({ id }) => id).join("\n"), () => {
      const focused = document.activeElement?.closest?.(".pair")?.dataset.pair;
      this.pairs.replaceChildren(...pairs.map((pair) => this.#pair(pair)));
      if (focused) [...this.pairs.children].find((node) => node.dataset.pair === focused)?.focus();
    });
  }

  #pair({ events, score, reason }) {
    const side = ({ id, name, competition, sport, start }) => element("div", { class: "side" }, element("strong", { text: name }),
      element("span", { text: `${title(sport)}, ${competition}` }), element("span", { text: start ? new Date(start).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "no start" }), element("code", { text: id }));
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
    this.console.attempt(() => this.console.commanding.make({ action, scope: { event }, values: other, reason: "settled in the console", expires: null }));
  }
}

function feedText(feed) {
  const state = feed.followed === false && feed.state === "live" ? "is live, but the engine does not receive it" : FEED_STATES[feed.state] ?? `is ${feed.state}`;
  return `${feed.feed} ${state}${feed.reason && feed.state !== "unknown" ? `: ${feed.reason}` : ""}${feed.since ? `, since ${clockText(feed.since)}` : ""}`;
}
