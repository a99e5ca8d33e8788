// The state of every feed, its lag and its last failures.

import { element } from "../../dom.js";
import { title } from "../../names.js";
import { age, clockText, drawAges } from "../parts/ages.js";

const CHANGES_SHOWN = 5;
// What a feed goes through on its way to live.
const PASSING = new Set(["connecting", "recovering"]);
const HEADINGS = ["Feed", "State", "For", "Last message", "Lag", "Quota", "Messages", "Failures", "Last changes"];

export class FeedsView {
  constructor(console) {
    this.console = console;
    this.live = console.live;
    this.table = element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Feeds" });
    this.root = element("section", { class: "view feeds", "aria-label": "Feeds" }, this.table);
  }

  show() {
    this.table.focus();
  }

  draw() {
    const { feeds, problem, version } = this.console.engine;
    if (version === this.version) return;
    this.version = version;
    if (problem) return this.table.replaceChildren(element("p", { class: "empty", text: problem }));
    if (!feeds.length) return this.table.replaceChildren(element("p", { class: "empty", text: "No feed is configured." }));
    const nowMs = this.live.nowMs;
    this.table.replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...HEADINGS.map((text) => element("th", { scope: "col", text })))),
      element("tbody", {}, ...feeds.map((feed) => row(feed, nowMs)))));
  }

  tick() {
    drawAges(this.table, this.live.nowMs);
  }

  key() {
    return false;
  }
}

function row(feed, nowMs) {
  const cell = (...content) => element("td", {}, ...content);
  const head = element("th", { scope: "row" }, element("strong", { text: feed.feed }), element("br"), element("span", { class: "quiet", text: (feed.sources ?? []).join(", ") }));
  const state = element("td", { class: "feed-state" }, element("strong", { text: title(feed.state) }), ...(feed.reason ? [element("br"), feed.reason] : []));
  const node = element("tr", { "data-feed": feed.feed, "data-state": feed.state }, head, state);
  if (feed.changes === undefined) {
    // Of a feed that another process is connected to, less is known here.
    node.append(element("td", { colspan: String(HEADINGS.length - 2), class: "quiet", text: "connected by another process, whose own address tells more" }));
    return node;
  }
  const { quota, counts } = feed;
  const changes = feed.changes.slice(-CHANGES_SHOWN).reverse();
  node.append(
    cell(age(feed.since, nowMs)), cell(age(feed.last_received, nowMs)), cell(feed.lag_ms == null ? "–" : `${Math.round(feed.lag_ms)} ms`),
    cell(quota ? `${quota.used} used, ${quota.remaining} left` : "–"), cell(String(counts.messages)),
    cell(`${counts.failures}${feed.failures_in_a_row ? `, ${feed.failures_in_a_row} in a row` : ""}${feed.breaker === "closed" ? "" : `, breaker ${feed.breaker.replaceAll("_", " ")}`}`),
    element("td", {}, element("ul", { class: "plain" }, ...changes.map((each) => element("li", { class: PASSING.has(each.state) ? "quiet" : each.state === "live" ? "" : "suspends", text: `${clockText(each.at)} ${each.state}: ${each.reason}` })))),
  );
  return node;
}
