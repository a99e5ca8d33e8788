// The dialog in which a command is made: its scope, what it sets, reason, expiry and profiles.

import { element } from "../../dom.js";
import { marketName, selectionKeys, selectionName, title } from "../../names.js";
import { ask, choice, field } from "./dialog.js";

const EXPIRIES = [
  ["", "until it is lifted"], ["60", "1 minute"], ["300", "5 minutes"], ["900", "15 minutes"], ["3600", "1 hour"],
  ["kick_off", "at the kick-off"], ["minutes", "after some minutes"], ["time", "at a time"],
];
const MAX_MINUTES = 366 * 24 * 60;
const OUTCOMES = [["", "–"], ["winner", "winner"], ["loser", "loser"], ["void", "void"], ["placed", "placed"]];
/**
 * action -> its heading and key; `each` or `one`: what it sets, for each selection or once; `isOfMarket`: not for several markets;
 * `isFinal`: it has no expiry and is of all profiles; `isReasoned`: its reason is what it says
 */
export const ACTIONS = {
  suspend: { name: "Suspend", key: "s" },
  price: { name: "Set prices", key: "p", each: { label: "odds", step: "any", min: "1.001" }, isOfMarket: true, canForce: true },
  shift: { name: "Shift", key: "h", each: { label: "raise the fair probability by, as 0.02", step: "any", min: "-0.5", max: "0.5" }, isOfMarket: true },
  limit: { name: "Limit", key: "m", one: { label: "Greatest stake", step: "any", min: "0" } },
  bet_delay_s: { name: "Bet delay", key: "d", one: { label: "Seconds", step: "any", min: "0", max: "600" } },
  book_sum: { name: "Book sum", key: "b", one: { label: "Sum of inverse odds, as 1.05", step: "any", min: "1", max: "3" } },
  result: { name: "Result", key: "r", isFinal: true },
  unresult: { name: "Take back the result", key: "t", isFinal: true },
  note: { name: "Note", key: "n", isReasoned: true },
};

/**
 * Ask for a command and make it.
 * @param {import("../commanding.js").Commanding} commanding
 * @param {string} action one of ACTIONS
 * @param {{event: object, market?: object}} about what is selected
 */
export function askCommand(commanding, action, { event, market }) {
  const { name, isFinal, isReasoned, canForce } = ACTIONS[action];
  const scopes = scopesOf(action, event, market);
  const scope = choice(scopes.map(([, text], index) => [String(index), text]), "0");
  const scopeNote = element("small");
  const reason = element("input", { maxlength: "500", autocomplete: "off", name: "reason" });
  reason.required = Boolean(isReasoned);
  const values = valuesOf(action, market);
  const isForced = element("input", { type: "checkbox" });
  const expiry = expires(event);
  const narrow = narrowing(commanding);
  const mayForce = canForce && commanding.person.role === "admin";
  const body = [
    field("Of", scope), scopeNote, ...values.nodes, field(isReasoned ? "Note" : "Reason", reason),
    ...(isFinal ? [] : [expiry.node, narrow.node]),
    ...(mayForce ? [element("label", { class: "check" }, isForced, element("span", { text: "past the least margin and the guards" }))] : []),
  ];
  const widen = () => {
    const isWide = scopes[Number(scope.value)][0].market === undefined && market !== undefined && action === "result";
    for (const node of values.nodes) node.hidden = isWide;
    scopeNote.textContent = isWide ? "Every market of the event is closed, and all bets on it are void." : "";
    scopeNote.hidden = !isWide;
  };
  scope.addEventListener("change", widen);
  widen();
  return ask({
    heading: `${name}: ${market ? `${event.name}, ${marketName(market)}` : event.name}`,
    body, confirm: name, isDangerous: action === "result", focus: values.nodes[0]?.querySelector("input, select") ?? reason,
    submit: () => {
      const [chosen] = scopes[Number(scope.value)];
      const isVoid = action === "result" && chosen.market === undefined;
      const set = isVoid ? "void" : values.read();
      return commanding.make({
        action, scope: { ...chosen, ...(isFinal ? {} : narrow.read()) },
        ...(set === undefined ? {} : { values: set }),
        reason: reason.value.trim(), expires: isFinal ? null : expiry.read(),
        ...(mayForce && isForced.checked ? { force: true } : {}),
      });
    },
  });
}

/** When a command ends: not by itself, after minutes, at a time, at the kick-off of an event that has not begun. */
function expires(event) {
  const expiry = choice(EXPIRIES.filter(([key]) => key !== "kick_off" || !event.in_play));
  const minutes = element("input", { type: "number", min: "0.1", max: String(MAX_MINUTES), step: "any", "aria-label": "Minutes until it expires", placeholder: "minutes" });
  const time = element("input", { type: "time", "aria-label": "Time at which it expires" });
  const show = () => {
    for (const [input, key] of [[minutes, "minutes"], [time, "time"]]) input.hidden = !(input.required = expiry.value === key);
  };
  expiry.addEventListener("change", show);
  show();
  const read = () => {
    switch (expiry.value) {
      case "": return null;
      case "kick_off": return "kick_off";
      case "minutes": return Math.max(1, Math.round(Number(minutes.value) * 60));
      case "time": return nextTime(time.value, new Date()).toISOString();
      default: return Number(expiry.value);
    }
  };
  return { node: element("label", {}, element("span", { text: "Ends" }), element("span", { class: "expiry" }, expiry, minutes, time)), read };
}

/** When it is this time of day next, by the clock of this machine. */
export function nextTime(text, now) {
  const [hours, minutes] = text.split(":").map(Number);
  const at = new Date(now);
  at.setHours(hours, minutes, 0, 0);
  if (at <= now) at.setDate(at.getDate() + 1);
  return at;
}

/** Profiles that a command is narrowed to. */
function narrowing(commanding) {
  const boxes = commanding.profiles.map((value) => element("input", { type: "checkbox", value }));
  const labels = boxes.map((box) => element("label", { class: "check" }, box, element("span", { text: box.value })));
  const node = element("fieldset", { class: "profiles" }, element("legend", { text: "Only in these profiles (none chosen: all)" }), ...labels);
  node.hidden = boxes.length < 2;
  return {
    node,
    read: () => {
      const profiles = boxes.filter((box) => box.checked).map((box) => box.value);
      return profiles.length ? { profiles } : {};
    },
  };
}

/** What an action sets: the fields, and what `read` makes of them, undefined where it sets nothing. */
function valuesOf(action, market) {
  const { each, one } = ACTIONS[action];
  if (action === "result") return outcomes(market);
  if (each) return perSelection(market, each);
  if (!one) return { nodes: [], read: () => undefined };
  const input = numeric(one, true);
  return { nodes: [field(one.label, input)], read: () => Number(input.value) };
}

const numeric = ({ step, min, max }, required) => {
  const input = element("input", { type: "number", step, min, inputmode: "decimal", ...(max ? { max } : {}) });
  input.required = required;
  return input;
};

function perSelection(market, each) {
  const keys = selectionKeys(market).filter((key) => market.selections[key].status === "active");
  if (!keys.length) return { nodes: [element("p", { text: "No selection is active." })], read: () => { throw new Error("no selection is active"); } };
  const inputs = keys.map(() => numeric(each, false));
  const nodes = keys.map((key, index) => {
    const { price } = market.selections[key];
    return field(`${selectionName(key, market.selections[key])}: ${each.label}`, inputs[index], price == null ? "no price now" : `now ${price.toFixed(2)}`);
  });
  const read = () => {
    const entered = keys.flatMap((key, index) => (inputs[index].value === "" ? [] : [[key, Number(inputs[index].value)]]));
    if (!entered.length) throw new Error("enter a number for at least one selection");
    return Object.fromEntries(entered);
  };
  return { nodes, read };
}

/** The outcome of each selection, or all of them void; those without one lose. */
function outcomes(market) {
  if (!market) return { nodes: [], read: () => "void" };
  const keys = selectionKeys(market);
  const selects = keys.map(() => choice(OUTCOMES, ""));
  const isVoid = element("input", { type: "checkbox" });
  isVoid.addEventListener("change", () => { for (const select of selects) select.disabled = isVoid.checked; });
  const read = () => {
    if (isVoid.checked) return "void";
    const chosen = keys.flatMap((key, index) => (selects[index].value ? [[key, selects[index].value]] : []));
    if (!chosen.length) throw new Error("choose an outcome of at least one selection: the others lose");
    return Object.fromEntries(chosen);
  };
  return {
    nodes: [
      ...keys.map((key, index) => field(selectionName(key, market.selections[key]), selects[index])),
      element("label", { class: "check" }, isVoid, element("span", { text: "the whole market is void" })),
      element("small", { text: "Selections without an outcome lose." }),
    ],
    read,
  };
}

/** The scopes that an action may have around what is selected, narrowest first, each with its name. */
function scopesOf(action, event, market) {
  const ofMarket = market ? [[{ market: market.id }, `market: ${marketName(market)}`]] : [];
  const ofEvent = [{ event: event.id }, `event: ${event.name}`];
  if (ACTIONS[action].isOfMarket) return ofMarket;
  if (ACTIONS[action].isFinal) return [...ofMarket, ofEvent];
  const selections = market && (action === "suspend" || action === "note")
    ? selectionKeys(market).map((key) => [{ selection: `${market.id}/${key}` }, `selection: ${selectionName(key, market.selections[key])}`]) : [];
  const types = market ? [[{ event: event.id, types: [market.type] }, `event, all markets of this type: ${title(market.type)}`]] : [];
  return [
    ...ofMarket, ofEvent, ...types,
    [{ competition: event.competition.id }, `competition: ${event.competition.name}`], [{ sport: event.sport }, `sport: ${title(event.sport)}`],
    ...selections,
  ];
}
