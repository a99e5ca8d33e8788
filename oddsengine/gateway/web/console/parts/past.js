// The past of a market, where the gateway has a history: what was before for its chart, and what a profile saw at a time, by a slider.

import { element, isOffered } from "../../dom.js";
import { selectionKeys, selectionName, title } from "../../names.js";
import { PriceHistory } from "../history.js";
import { reasonText } from "../reasons.js";
import { clockText } from "./ages.js";

const HOUR_MS = 3_600_000;
/** what the slider spans: its name, and how long that is; undefined for all that there is of a market */
const SPANS = { "1 hour": HOUR_MS, "6 hours": 6 * HOUR_MS, "24 hours": 24 * HOUR_MS, all: undefined };
const STEPS = 3600;
const ASK_AFTER_MS = 150;
const LOAD_AFTER_MS = 600;
const MAX_PAGES = 5;
const PAGE = 1000;
// What is before the last hour is loaded in parts of equal length, so that a market that changes often is drawn from its beginning to its end.
const PARTS = 12;
const PART_PAGE = 500;
const POINTS = 720;
const UNAVAILABLE = 503;
const ASK_AGAIN_MS = 30_000;

export class Past {
  #timer;
  #loading;
  #loaded = new Set();
  #missingUntilMs = isOffered("history") ? 0 : Infinity;
  #before;

  /**
   * @param {object} console
   * @param {() => void} drawChart draws the chart again
   */
  constructor(console, drawChart) {
    this.console = console;
    this.drawChart = drawChart;
    /** the chosen time, Unix milliseconds by this clock; undefined: now */
    this.atMs = undefined;
    this.slider = element("input", { type: "range", min: "0", "aria-label": "Time" });
    this.span = element("select", { "aria-label": "Time span" }, ...Object.keys(SPANS).map((name) => element("option", { text: name })));
    this.profile = element("select", { "aria-label": "Profile" });
    this.now = element("button", { type: "button", text: "Now" });
    this.said = element("div", { class: "then", role: "status" });
    this.root = element("div", { class: "past", hidden: "" }, element("div", { class: "past-controls" },
      element("span", { text: "What did subscribers see?" }), this.profile, this.span, this.slider, this.now), this.said);
    this.slider.addEventListener("input", () => this.#choose());
    this.span.addEventListener("change", () => {
      this.#spread();
      this.#loadBefore();
    });
    this.profile.addEventListener("change", () => this.#choose());
    this.now.addEventListener("click", () => this.#reset());
  }

  /** Turn to a market; undefined for none. */
  show(id) {
    this.id = id;
    this.firstMs = this.#before = undefined;
    this.root.hidden = true;
    this.#reset();
    clearTimeout(this.#loading);
    if (id && Date.now() >= this.#missingUntilMs) this.#loading = setTimeout(() => this.#load(id), LOAD_AFTER_MS);
  }

  /** How long the chosen time is, as far back as there is something of the market. */
  get #existingMs() {
    const existsMs = Date.now() - (this.firstMs ?? Date.now() - HOUR_MS);
    return Math.max(STEPS, Math.min(SPANS[this.span.value] ?? existsMs, existsMs));
  }

  /** How long the time of the chart is: the chosen one, and an hour at least. */
  get chartMs() {
    return this.root.hidden ? HOUR_MS : Math.max(HOUR_MS, this.#existingMs);
  }

  /** What the time of the chart is called. */
  get chartText() {
    if (this.root.hidden || this.span.value === "1 hour") return "last hour";
    return this.span.value === "all" ? "all that is known" : `last ${this.span.value}`;
  }

  /** The two series of a selection, with what was before the last hour; undefined if nothing is known of it. */
  series(key) {
    const known = this.console.live.history.of(this.id, key);
    const before = this.#before?.of(this.id, key);
    if (!before) return known;
    const join = (line) => ({ times: [...before[line].times, ...known?.[line].times ?? []], values: [...before[line].values, ...known?.[line].values ?? []] });
    return { price: join("price"), fair: join("fair") };
  }

  /** Stretch the slider over the chosen time. */
  #spread() {
    const spanMs = this.#existingMs;
    this.slider.max = String(Math.round(spanMs));
    this.slider.step = String(Math.ceil(spanMs / STEPS));
    this.#reset();
  }

  #reset() {
    clearTimeout(this.#timer);
    this.atMs = undefined;
    this.slider.value = this.slider.max;
    this.slider.setAttribute("aria-valuetext", "now");
    this.said.replaceChildren();
    this.drawChart();
  }

  get #offsetMs() {
    return this.console.live.clockOffsetMs ?? 0;
  }

  #path(id) {
    return `v1/history/markets/${encodeURIComponent(id)}`;
  }

  /** Load the last hour up to what is in memory, and show the slider. */
  async #load(id) {
    try {
      if (!this.#loaded.has(id)) {
        await this.#loadHour(id);
        this.#loaded.add(id);
      }
      const { changes } = await this.console.api.get(`${this.#path(id)}/changes?from=0&limit=1`);
      if (id === this.id) this.firstMs = changes.length ? Date.parse(changes[0].at) - this.#offsetMs : undefined;
    } catch (problem) {
      // Where there is no history it is not asked for again, and where it does not answer now, not with every market.
      if (problem.status === UNAVAILABLE) this.#missingUntilMs = problem.retryAfterS ? Date.now() + ASK_AGAIN_MS : Infinity;
      if (problem.status !== 404) return;
    }
    if (id !== this.id) return;
    const { profiles, person } = this.console.commanding;
    this.profile.replaceChildren(...profiles.map((name) => element("option", { text: name, ...(name === person?.profile ? { selected: "" } : {}) })));
    this.profile.hidden = profiles.length < 2;
    this.root.hidden = false;
    this.#spread();
    this.#loadBefore();
  }

  async #loadHour(id) {
    const { history } = this.console.live;
    const nowMs = Date.now();
    history.prepend(id, await this.#loadPoints(id, nowMs - HOUR_MS, Math.min(history.since(id) ?? nowMs, nowMs), MAX_PAGES, PAGE));
  }

  /** Load what is before the last hour in the chosen time, in parts, and draw each. */
  async #loadBefore() {
    const { id } = this;
    const spanMs = this.chartMs;
    const untilMs = this.console.live.history.since(id) ?? Date.now() - HOUR_MS;
    const firstMs = Date.now() - spanMs;
    const before = spanMs > HOUR_MS && firstMs < untilMs ? new PriceHistory({ intervalMs: spanMs / POINTS, maxPoints: PARTS * PART_PAGE }) : undefined;
    this.#before = before;
    this.drawChart();
    for (let part = 0; before && part < PARTS; part++) {
      const [fromMs, toMs] = [part, part + 1].map((number) => firstMs + ((untilMs - firstMs) * number) / PARTS);
      let points;
      try {
        points = await this.#loadPoints(id, fromMs, toMs, 1, PART_PAGE);
      } catch {
        // What can't be loaded is not drawn, and what is before it ends there.
        points = [{ at: fromMs }];
      }
      if (this.#before !== before) return;
      before.append(id, points);
      this.drawChart();
    }
  }

  /** Return the points of the changes from a time to another, by this clock, of so many pages at most. */
  async #loadPoints(id, fromMs, toMs, pages, limit) {
    const offset = this.#offsetMs;
    const limits = `from=${Math.round(fromMs + offset)}&to=${Math.round(toMs + offset)}&limit=${limit}&include=fair`;
    const points = [];
    let cursor = "";
    for (let page = 0; page < pages; page++) {
      const answer = await this.console.api.get(`${this.#path(id)}/changes?${limits}${cursor && `&cursor=${cursor}`}`);
      if (page === 0 && answer.before) note(points, answer.before, fromMs);
      for (const { at, market } of answer.changes) note(points, market, Date.parse(at) - offset);
      // What is not known is not drawn.
      for (const { after, until } of answer.gaps) for (const at of [after, until]) if (at) points.push({ at: Date.parse(at) - offset });
      cursor = answer.next;
      if (!cursor) break;
    }
    if (cursor && points.length) points.push({ at: points.at(-1).at + 1 });
    return points.sort((one, other) => one.at - other.at);
  }

  #choose() {
    const backMs = Number(this.slider.max) - Number(this.slider.value);
    // The last step need not end with the span.
    if (backMs < Number(this.slider.step)) return this.#reset();
    this.atMs = Date.now() - backMs;
    this.slider.setAttribute("aria-valuetext", timeText(this.atMs));
    this.drawChart();
    clearTimeout(this.#timer);
    const asked = { id: this.id, atMs: this.atMs };
    this.#timer = setTimeout(() => this.#ask(asked), ASK_AFTER_MS);
  }

  async #ask({ id, atMs }) {
    const profile = this.profile.value ? `&profile=${encodeURIComponent(this.profile.value)}` : "";
    let shown;
    try {
      shown = this.#describe(await this.console.api.get(`${this.#path(id)}?at=${Math.round(atMs + this.#offsetMs)}${profile}`), atMs);
    } catch (problem) {
      shown = [element("p", {}, element("strong", { text: `${timeText(atMs)}: ` }), problem.message)];
    }
    if (id === this.id && atMs === this.atMs) this.said.replaceChildren(...shown);
  }

  #describe({ market, since, since_is_exact: isExact }, atMs) {
    const state = market.status === "open" ? "Open" : `${title(market.status)}${market.reason ? `: ${reasonText(market.reason)}` : ""}`;
    const prices = selectionKeys(market).map((key) => {
      const { price } = market.selections[key];
      return `${selectionName(key, market.selections[key])} ${price == null ? "–" : Number(price).toFixed(2)}`;
    });
    return [element("p", {}, element("strong", { text: `${timeText(atMs)}: ${state}` }), `, since ${timeText(Date.parse(since) - this.#offsetMs)}${isExact ? "" : " or before"}`),
      element("p", { text: prices.join(", ") })];
  }
}

/** Return a time for people, with its day where that may be another one. */
function timeText(at) {
  return Date.now() - at < 12 * HOUR_MS ? clockText(at) : new Date(at).toLocaleString();
}

/** Add what a market's changed fields say of its lines. */
function note(points, market, at) {
  if (market.removed) return points.push({ at });
  for (const [key, selection] of Object.entries(market.selections ?? {})) {
    if (selection.price === undefined) continue;
    points.push({ key, line: "price", value: selection.price, at });
    if (selection.fair || selection.price === null) points.push({ key, line: "fair", value: selection.fair ? 1 / selection.fair : null, at });
  }
}
