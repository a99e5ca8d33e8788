// One market: what each source says, what is made of it for each profile, who has commanded what, and how prices went.

import { element, setText } from "../../dom.js";
import { marketName, selectionKeys, selectionName, title } from "../../names.js";
import { age, clockText, drawAges } from "../parts/ages.js";
import { drawChart } from "../parts/chart.js";
import { ACTIONS } from "../parts/command_dialog.js";
import { Past } from "../parts/past.js";
import { valuesText } from "../commanding.js";
import { causeOf, reasonText } from "../reasons.js";

const MIN_EXPLAIN_MS = 500;
const MAX_EXPLAIN_MS = 2000;
const CHARTED = 6;
const SETTLED_MS = 120;

const cell = (tag, content, attributes = {}) => {
  const node = element(tag, attributes);
  node.append(content ?? "–");
  return node;
};
const number = (value, digits = 2) => (value == null ? "–" : Number(value).toFixed(digits));

export class MarketDetail {
  #explanation;
  #problem;
  #asking = false;
  #askedMs = 0;
  #shownMs = 0;
  #timer;
  #drawn = new Map();
  #chartMs = 0;
  #chartWidth;
  /** the selections whose lines are hidden */
  #uncharted = new Set();

  /**
   * @param {object} console
   * @param {(action: string) => void} act begins an action on the market
   */
  constructor(console, act) {
    this.console = console;
    this.live = console.live;
    this.isShown = false;
    this.name = element("span");
    // Apart from the state, which is read aloud when it changes.
    this.version = element("small");
    this.state = element("p", { class: "market-state", role: "status" });
    this.actions = element("div", { class: "actions", role: "toolbar", "aria-label": "Commands for this market" });
    const { suspend, ...others } = ACTIONS;
    for (const [action, { name, key }] of [["suspend", suspend], ["lift", { name: "Lift", key: "l" }], ...Object.entries(others)]) {
      const button = element("button", { type: "button", "data-action": action, "aria-keyshortcuts": key }, name, " ", element("kbd", { text: key }));
      button.addEventListener("click", () => act(action));
      this.actions.append(button);
    }
    this.prices = element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Selections, sources and prices" });
    this.commands = element("div", { class: "holding" });
    this.rules = element("div");
    this.sources = element("div");
    this.guards = element("div");
    this.chart = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.chart.setAttribute("role", "img");
    this.chart.setAttribute("class", "chart");
    this.chart.setAttribute("aria-label", "Prices");
    // To ask for its width while drawing would have the page laid out in between.
    this.#chartWidth = 720;
    new ResizeObserver(([{ contentRect }]) => {
      if (!contentRect.width || contentRect.width === this.#chartWidth) return;
      this.#chartWidth = contentRect.width;
      this.#chartMs = 0;
    }).observe(this.chart);
    this.chartHeading = element("h4", { text: "Published price and fair odds" });
    this.legend = element("ul", { class: "legend" });
    this.past = new Past(console, () => {
      this.#chartMs = 0;
      console.redraw();
    });
    const section = (heading, ...nodes) => element("section", {}, element("h4", { text: heading }), ...nodes);
    this.root = element("article", { class: "detail", "aria-label": "Market" }, element("h3", {}, this.name, " ", this.version), this.state, this.actions, this.commands, this.prices,
      element("section", {}, this.chartHeading, this.chart, this.legend, this.past.root),
      element("div", { class: "columns" }, section("Rule of each profile", this.rules), section("Guards", this.guards), section("Sources", this.sources)));
  }

  show(id) {
    if (id === this.id) return;
    this.id = id;
    this.#explanation = this.#problem = undefined;
    this.#askedMs = this.#chartMs = 0;
    this.#drawn.clear();
    this.#shownMs = Date.now();
    this.past.show(id);
    setTimeout(() => this.console.redraw(), SETTLED_MS);
  }

  draw(changed, event) {
    const market = this.live.market(this.id);
    this.root.hidden = !market;
    if (!market) return;
    const explanation = this.#explanation;
    setText(this.name, marketName(market));
    this.#drawState(market, event);
    this.#once("prices", [market.v, explanation, this.#problem], () => this.#drawPrices(market));
    const concerning = this.console.commanding.concerning(event, market);
    const explained = explanation && new Set(explanation.commands.map(({ id }) => id));
    const holding = explained ? concerning.filter(({ id }) => explained.has(id)) : concerning;
    const proposed = this.console.commanding.proposedFor(event, market);
    const { sub } = this.console.commanding.person;
    this.#once("commands", [sub, ...holding.map((each) => each.id), ...proposed.map((each) => each.id)], () => this.#drawCommands(holding, proposed));
    // What is below waits until nobody moves on to another market any more.
    const isMoving = Date.now() - this.#shownMs < SETTLED_MS;
    if (!isMoving) this.#once("rest", [explanation, this.#problem?.message], () => this.#drawRest());
    if (changed.markets.has(this.id) || changed.all || (!explanation && !this.#problem)) this.#askSoon(MIN_EXPLAIN_MS);
    if (!isMoving && Date.now() - this.#chartMs >= 1000) this.#drawChart(market);
  }

  /** Go on with ages, the chart and what the sources say; called every second. */
  tick() {
    if (!this.isShown || !this.live.market(this.id)) return;
    drawAges(this.root, this.live.nowMs);
    this.#askSoon(MAX_EXPLAIN_MS);
  }

  /** Draw a part if what it shows has changed. */
  #once(part, shown, draw) {
    const before = this.#drawn.get(part);
    if (before && before.length === shown.length && before.every((each, index) => each === shown[index])) return;
    this.#drawn.set(part, shown);
    draw();
  }

  #askSoon(afterMs) {
    if (this.#asking || !this.isShown) return;
    const waitMs = this.#askedMs + afterMs - Date.now();
    clearTimeout(this.#timer);
    if (waitMs > 0) this.#timer = setTimeout(() => this.#ask(), waitMs);
    else this.#ask();
  }

  async #ask() {
    const { id } = this;
    if (this.#asking || !this.isShown || !id) return;
    this.#asking = true;
    this.#askedMs = Date.now();
    try {
      const explanation = await this.console.api.get(`v1/markets/${encodeURIComponent(id)}/explain`);
      if (id === this.id) [this.#explanation, this.#problem] = [explanation, undefined];
      this.#noteFair(id, explanation);
    } catch (problem) {
      await this.#askFair(id);
      if (id === this.id) [this.#explanation, this.#problem] = [undefined, problem];
    } finally {
      this.#asking = false;
    }
    this.console.redraw();
  }

  #noteFair(id, { selections }) {
    for (const [key, { profiles }] of Object.entries(selections)) {
      const fair = Object.values(profiles).find((each) => each.fair)?.fair;
      this.live.history.noteFair(id, key, fair ? 1 / fair : null, Date.now());
    }
  }

  /** Without an engine in this process there are fair probabilities, but no explanations. */
  async #askFair(id) {
    try {
      const { selections } = await this.console.api.get(`v1/markets/${encodeURIComponent(id)}?include=fair`);
      for (const [key, { fair }] of Object.entries(selections)) this.live.history.noteFair(id, key, fair ? 1 / fair : null, Date.now());
    } catch {
      // the explanation's problem is shown
    }
  }

  #drawState(market, event) {
    const explanation = this.#explanation;
    let text = market.status === "open" ? "Open" : title(market.status);
    if (this.live.store.isStale(market.id)) text = "May be out of date";
    else if (market.status === "suspended") text += `: ${reasonText(market.reason)}`;
    const by = market.reason === "trader" && this.console.commanding.concerning(event, market).find((each) => each.action === "suspend");
    if (by) text += ` (${by.author}${by.reason ? `: ${by.reason}` : ""})`;
    const guard = explanation?.guards.find((each) => each.suspends && each.guard === market.reason);
    if (guard?.value != null) text += ` (${number(guard.value, 3)}, allowed ${limitText(guard.limit)})`;
    if (market.limit != null) text += ` · limit ${market.limit}`;
    if (market.bet_delay_s) text += ` · bet delay ${market.bet_delay_s} s`;
    setText(this.state, text);
    setText(this.version, `v${market.v}`);
    this.root.dataset.status = market.status;
    this.root.dataset.trouble = causeOf(market) ?? "";
  }

  #drawPrices(market) {
    const explanation = this.#explanation;
    const nowMs = this.live.nowMs;
    const sources = explanation?.sources ?? [];
    const profiles = Object.keys(explanation?.profiles ?? { "": undefined });
    const head = element("tr", {}, cell("th", "Selection", { scope: "col" }), ...sources.map(({ source }) => {
      const isPricing = source === explanation.priced_by;
      return cell("th", isPricing ? `${source} (prices it)` : source, { scope: "col", class: isPricing ? "pricing" : "" });
    }), cell("th", "Fair", { scope: "col" }), ...profiles.map((name) => cell("th", name || "Published", { scope: "col" })));
    const rows = selectionKeys(market).map((key) => {
      const selection = market.selections[key];
      const explained = explanation?.selections[key];
      const fair = explained ? Object.values(explained.profiles).find((each) => each.fair)?.fair : this.#chartedFair(key);
      const name = selectionName(key, selection);
      return element("tr", { "data-selection": key, "data-status": selection.status },
        cell("th", selection.status === "active" ? name : `${name} (${selection.status})`, { scope: "row" }),
        ...sources.map(({ source }) => quoted(explained?.said.find((each) => each.source === source), nowMs)),
        cell("td", fair ? `${number(1 / fair)} · ${number(fair * 100, 1)} %` : "–", { class: "number" }),
        ...profiles.map((profile) => {
          // What this person's profile sees comes over the stream, at once.
          const isStreamed = profile === "" || profile === this.console.commanding.person.profile;
          const price = isStreamed ? selection.price : explained?.profiles[profile]?.price;
          const refused = explained?.profiles[profile]?.steps.find((each) => each.step === "refused");
          return cell("td", price == null && refused ? `– (${refused.reason.replaceAll("_", " ")})` : number(price), { class: "number price" });
        }));
    });
    const margins = explanation && element("tr", {}, cell("th", "Margin", { scope: "row" }), ...sources.map(() => element("td")), element("td"),
      ...profiles.map((name) => {
        const { value, limit } = explanation.profiles[name];
        return cell("td", !value ? "–" : `${number((value - 1) * 100, 1)} %`, { class: "number", title: `book sum ${number(value, 4)}, allowed ${limitText(limit)}` });
      }));
    this.prices.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows), ...(margins ? [element("tfoot", {}, margins)] : [])));
  }

  /** The fair probability of a selection where nothing explains it. */
  #chartedFair(key) {
    const odds = this.live.history.of(this.id, key)?.fair.values.at(-1);
    return odds ? 1 / odds : undefined;
  }

  #drawCommands(holding, proposed) {
    const proposals = proposed.map((each) => {
      const problem = this.console.commanding.whyNotConfirm(each);
      const confirm = element("button", { type: "button", ...(problem ? { disabled: "", title: problem } : {}) }, "Confirm ", element("kbd", { text: "c" }));
      confirm.addEventListener("click", () => this.console.attempt(() => this.console.commanding.confirm(each)));
      return element("p", { class: "proposal", "data-command": each.id }, element("strong", { text: this.console.commanding.commandText(each) }),
        ` proposed by ${each.author}${each.reason ? `: ${each.reason}` : ""}${problem ? ` (${problem})` : ""} `, confirm);
    });
    this.commands.replaceChildren(...proposals, ...holding.map((each) => {
      const values = valuesText(each.values);
      const expires = each.expires === null ? "until it is lifted" : each.expires === "kick_off" ? "until the kick-off" : `until ${clockText(each.expires)}`;
      const lift = element("button", { type: "button", text: "Lift" });
      lift.addEventListener("click", () => this.console.lift(each));
      return element("p", {}, element("strong", { text: `${title(each.action)}${values ? ` ${values}` : ""}` }),
        ` by ${each.author}${each.reason ? `: ${each.reason}` : ""}, ${expires} `, lift);
    }));
  }

  #drawRest() {
    const explanation = this.#explanation;
    if (!explanation) {
      const text = this.#problem?.message ?? "…";
      for (const node of [this.rules, this.guards, this.sources]) node.replaceChildren(element("p", { class: "quiet", text: node === this.rules ? text : "–" }));
      return;
    }
    const nowMs = this.live.nowMs;
    const rules = new Map();
    for (const { profiles } of Object.values(explanation.selections)) {
      for (const [name, { rule, steps }] of Object.entries(profiles)) rules.set(name, { rule, steps: steps.length ? steps : rules.get(name)?.steps ?? [] });
    }
    this.rules.replaceChildren(...[...rules].map(([name, { rule, steps }]) => {
      const margin = steps.find((each) => each.step === "margin");
      const ladder = steps.find((each) => each.step === "ladder");
      const how = [margin && `${margin.method}, book sum ${margin.book_sum}`, ladder && `ladder ${ladder.ladder}`].filter(Boolean).join(", ");
      return element("p", {}, element("strong", { text: name }), ` ${rule.slice(1).join(", ") || rule[0]}`, ...(how ? [element("br"), element("span", { class: "quiet", text: how })] : []));
    }));
    this.guards.replaceChildren(element("ul", {}, ...explanation.guards.map((each) => element("li", { class: each.suspends ? "suspends" : "" },
      `${title(each.guard)}: ${number(each.value, 3)}${each.limit == null ? "" : `, allowed ${limitText(each.limit)}`}${each.suspends ? " (suspends)" : ""}`))));
    this.sources.replaceChildren(element("ul", {}, ...explanation.sources.map((each) => element("li", { class: each.health === "live" ? "" : "suspends" },
      element("strong", { text: each.source }), ` ${each.market}, ${each.health}${each.health === "live" || !each.health_reason ? "" : ` (${each.health_reason})`}, ${each.status ?? "not defined"}, `, age(each.updated_ms, nowMs), " ago"))));
  }

  #drawChart(market) {
    this.#chartMs = Date.now();
    const lines = selectionKeys(market).slice(0, CHARTED).flatMap((key, index) => {
      const series = this.past.series(key);
      return series ? [{ key, index, name: selectionName(key, market.selections[key]), ...series }] : [];
    });
    const texts = lines.map(({ name, price, fair }) => `${name} ${number(price.values.at(-1))}${fair.values.at(-1) ? ` (fair ${number(fair.values.at(-1))})` : ""}`);
    this.#once("legend", lines.map(({ key }) => key), () => this.#drawLegend(lines));
    texts.forEach((text, index) => setText(this.legend.children[index].firstChild.lastChild, text));
    drawChart(this.chart, lines.filter(({ key }) => !this.#uncharted.has(key)), Date.now(), this.past.chartMs, this.#chartWidth, this.past.atMs);
    setText(this.chartHeading, `Published price and fair odds, ${this.past.chartText}`);
    this.chart.setAttribute("aria-label", `Prices: ${texts.join(", ")}`);
  }

  /** One button for each line, which shows and hides it: the others then have the whole height. */
  #drawLegend(lines) {
    this.#uncharted.clear();
    this.legend.replaceChildren(...lines.map(({ key, index }) => {
      const button = element("button", { type: "button", "aria-pressed": "true" }, element("span", { class: `key line${index}`, "aria-hidden": "true" }), element("span"));
      button.addEventListener("click", () => {
        const isShown = this.#uncharted.delete(key);
        if (!isShown) this.#uncharted.add(key);
        button.setAttribute("aria-pressed", String(isShown));
        this.#chartMs = 0;
        this.console.redraw();
      });
      return element("li", {}, button);
    }), element("li", { class: "quiet", text: "dashed: fair odds" }));
  }
}

function quoted(said, nowMs) {
  if (!said) return cell("td", "–", { class: "number" });
  const book = said.quote != null ? number(said.quote) : `${number(said.back?.[0])} / ${number(said.lay?.[0])}`;
  return element("td", { class: "number" }, book, said.status === "active" ? "" : ` (${said.status})`, element("br"), age(said.updated_ms, nowMs));
}

function limitText(limit) {
  if (limit == null) return "any";
  return Array.isArray(limit) ? `${number(limit[0], 3)} to ${number(limit[1], 3)}` : number(limit, 3);
}
