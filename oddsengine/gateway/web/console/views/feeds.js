// The state of every feed, its lag and its last failures.

import { element, setText } from "../../dom.js";
import { title } from "../../names.js";
import { age, ageText, clockText } from "../parts/ages.js";

// How many changes of state a feed shows.
const CHANGES_SHOWN = 5;

const COLUMNS = ["Feed", "State", "For", "Last message", "Lag", "Answers in", "Quota", "Messages", "Failures", "Last changes"];
// What changed a feed's state (feeds/supervision/states.py), in words, and whether the reason adds to it.
const CHANGES = {
  connect: ["connecting", false], opened: ["connected, loading its offer", false], recovered: ["live: its offer was loaded", false],
  behind: ["messages arrive late", true], "caught up": ["messages arrive in time again", false], "went stale": ["silent", true], lost: ["connection lost", true],
};
// What is no trouble on the way to live.
const PASSING = new Set(["connect", "opened"]);

export class FeedsView {
  #rows = new Map();
  #shown;

  constructor(console) {
    this.console = console;
    this.live = console.live;
    this.empty = element("p", { class: "empty" });
    this.body = element("tbody");
    const head = element("thead", {}, element("tr", {}, ...COLUMNS.map((text) => element("th", { scope: "col", text }))));
    this.table = element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Table of the feeds" }, element("table", {}, head, this.body));
    this.root = element("section", { class: "view feeds", "aria-label": "Feeds" }, this.empty, this.table);
  }

  show() {
    this.#shown = undefined;
    document.getElementById("content").focus({ preventScroll: true });
  }

  draw() {
    const { floor } = this.live;
    if (floor.versions.feeds === this.#shown) return;
    this.#shown = floor.versions.feeds;
    this.empty.hidden = floor.feeds.size > 0;
    this.table.hidden = floor.feeds.size === 0;
    setText(this.empty, floor.loaded.has("feeds") ? "No feed is reported: is one configured, and does an engine or feeder run?" : "Loading");
    for (const [name, row] of this.#rows) {
      if (floor.feeds.has(name)) continue;
      row.node.remove();
      this.#rows.delete(name);
    }
    const nowMs = this.live.nowMs;
    for (const [name, feed] of floor.feeds) {
      let row = this.#rows.get(name);
      if (!row) this.#rows.set(name, (row = newRow(name)));
      if (row.feed !== feed) fill(row, feed, nowMs);
      row.feed = feed;
      this.body.append(row.node);
    }
  }

  tick() {
    for (const node of this.table.querySelectorAll(".age")) setText(node, ageText(this.live.nowMs - Number(node.dataset.at)));
  }

  key() {
    return false;
  }
}

function newRow(name) {
  const cells = COLUMNS.slice(1).map(() => element("td"));
  const sources = element("span", { class: "quiet" });
  const node = element("tr", { "data-feed": name }, element("th", { scope: "row" }, element("strong", { text: name }), element("br"), sources), ...cells);
  cells[0].className = "feed-state";
  return { node, cells, sources };
}

function fill({ node, cells, sources }, feed, nowMs) {
  node.dataset.state = feed.state;
  setText(sources, (feed.sources ?? []).filter((each) => each !== feed.feed).join(", "));
  const reason = feed.state !== "live" && feed.reason ? [element("br"), feed.reason] : [];
  const unfollowed = feed.followed === false ? [element("br"), element("span", { class: "suspends", text: "not received by the engine" })] : [];
  cells[0].replaceChildren(element("strong", { text: title(feed.state) }), ...reason, ...unfollowed);
  cells[0].title = feed.reason ?? "";
  const { quota, counts, responses } = feed;
  const isKnown = counts !== undefined;
  const texts = [
    feed.lag_ms == null ? "–" : `${Math.round(feed.lag_ms)} ms`,
    responses?.count ? `${Math.round(responses.mean_ms)} ms` : "–",
    quota ? `${quota.used} used, ${quota.remaining} left` : "–",
    isKnown ? counts.messages.toLocaleString() : "–",
    isKnown ? failures(feed) : "–",
  ];
  cells[1].replaceChildren(age(feed.since, nowMs));
  cells[2].replaceChildren(age(feed.last_received, nowMs));
  texts.forEach((text, index) => setText(cells[3 + index], text));
  cells[4].title = responses?.count ? `mean of ${responses.count} answers${responses.p95_ms ? `, 95 % within ${responses.p95_ms} ms` : ""}` : "";
  const changes = (feed.changes ?? []).slice(-CHANGES_SHOWN).reverse();
  cells[8].replaceChildren(element("ul", { class: "plain" }, ...changes.map(change)));
}

function failures({ counts, failures_in_a_row, breaker }) {
  const parts = [String(counts.failures)];
  if (failures_in_a_row) parts.push(`${failures_in_a_row} in a row`);
  if (breaker !== "closed") parts.push(breaker === "open" ? "attempts paused" : "trying once");
  return parts.join(", ");
}

function change({ at, what, state, reason }) {
  const [text, isExplained] = CHANGES[what] ?? [state, true];
  const kind = state === "live" ? "" : PASSING.has(what) ? "quiet" : "suspends";
  return element("li", { class: kind, title: reason, text: `${clockText(at)} ${text}${isExplained && reason ? `: ${reason}` : ""}` });
}
