// The dialogs in which a command is made or lifted. Enter confirms, Escape closes, the first field has the focus.

import { element } from "../../dom.js";
import { marketName, selectionKeys, selectionName, title } from "../../names.js";
import { target } from "../commanding.js";

const EXPIRIES = [
  ["", "until it is lifted"], ["60", "1 minute"], ["300", "5 minutes"], ["900", "15 minutes"], ["3600", "1 hour"],
  ["kick_off", "until the kick-off"], ["own", "other"],
];
/** action -> its heading, how its values are entered and what they are */
export const ACTIONS = {
  suspend: { name: "Suspend", key: "s" },
  price: { name: "Set prices", key: "p", each: { label: "Odds", step: "any", min: "1.001" }, force: true },
  shift: { name: "Shift", key: "h", each: { label: "Share by which the fair probability is raised", step: "any", min: "-0.5", max: "0.5" } },
  limit: { name: "Limit", key: "m", one: { label: "Greatest stake", step: "any", min: "0" } },
  bet_delay_s: { name: "Bet delay", key: "d", one: { label: "Seconds", step: "any", min: "0", max: "600" } },
  book_sum: { name: "Book sum", key: "b", one: { label: "Sum of inverse odds, as 1.05", step: "any", min: "1", max: "3" } },
};

/** Show a dialog until it is closed. `submit` may throw, which keeps it open and shows the message. */
export function ask({ heading, body, confirm, submit, isDangerous = false, canCancel = true, focus }) {
  const problem = element("p", { class: "problem", role: "alert" });
  const yes = element("button", { type: "submit", class: isDangerous ? "primary danger" : "primary", text: confirm });
  const no = element("button", { type: "button", text: "Cancel" });
  no.hidden = !canCancel;
  const form = element("form", { method: "dialog" }, element("h2", { id: "dialog-heading", text: heading }), ...body, problem,
    element("div", { class: "buttons" }, no, yes));
  const dialog = element("dialog", { "aria-labelledby": "dialog-heading" }, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    let done = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (yes.disabled) return;
      yes.disabled = true;
      try {
        await submit();
        done = true;
        dialog.close();
      } catch (failure) {
        problem.textContent = failure.message;
      } finally {
        yes.disabled = false;
      }
    });
    no.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(done);
    });
    dialog.showModal();
    (focus ?? (isDangerous ? no : yes)).focus();
  });
}

const field = (label, input, note) => element("label", {}, element("span", { text: label }), input, ...(note ? [element("small", { text: note })] : []));

const choice = (options, value) => {
  const select = element("select");
  for (const [key, text] of options) select.append(element("option", { value: key, text }));
  if (value !== undefined) select.value = value;
  return select;
};

/**
 * Ask for a command and make it.
 * @param {import("../commanding.js").Commanding} commanding
 * @param {string} action one of ACTIONS
 * @param {{event: object, market?: object}} about what is selected
 */
export function askCommand(commanding, action, { event, market }) {
  const { name, each, one, force } = ACTIONS[action];
  const scopes = scopesOf(action, event, market);
  const isInPlay = event.in_play;
  const scope = choice(scopes.map(([, text], index) => [String(index), text]), "0");
  const reason = element("input", { maxlength: "500", autocomplete: "off", name: "reason" });
  const expiry = choice(EXPIRIES.filter(([key]) => key !== "kick_off" || !isInPlay));
  const own = element("input", { type: "number", min: "1", max: "31622400", step: "1", "aria-label": "Seconds until it expires", placeholder: "seconds" });
  own.hidden = true;
  expiry.addEventListener("change", () => {
    own.hidden = expiry.value !== "own";
    own.required = !own.hidden;
  });
  const values = each ? perSelection(market, each) : one ? { nodes: [field(one.label, numeric(one, true))], read: (nodes) => Number(nodes[0].querySelector("input").value) } : undefined;
  const isForced = element("input", { type: "checkbox" });
  const narrow = narrowing(commanding);
  const body = [
    field(each ? "Of" : "What", scope),
    ...(values?.nodes ?? []),
    field("Reason", reason),
    field("Expires", element("span", { class: "expiry" }, expiry, own)),
    narrow.node,
    ...(force ? [element("label", { class: "check" }, isForced, element("span", { text: "past the least margin and the guards (admin)" }))] : []),
  ];
  return ask({
    heading: `${name}: ${market ? `${event.name}, ${marketName(market)}` : event.name}`,
    body, confirm: name, focus: values?.nodes[0].querySelector("input") ?? reason,
    submit: () => commanding.make({
      action,
      scope: { ...scopes[Number(scope.value)][0], ...narrow.read() },
      ...(values ? { values: values.read(values.nodes) } : {}),
      reason: reason.value.trim(),
      expires: expiry.value === "" ? null : expiry.value === "own" ? Number(own.value) : expiry.value === "kick_off" ? "kick_off" : Number(expiry.value),
      ...(force && isForced.checked ? { force: true } : {}),
    }),
  });
}

/** Profiles that a command is narrowed to. */
function narrowing(commanding) {
  const profiles = element("input", { autocomplete: "off", placeholder: "all", list: "profile-names" });
  const names = element("datalist", { id: "profile-names" }, ...commanding.profiles.map((value) => element("option", { value })));
  return {
    node: element("div", {}, field("Profiles", profiles, "names with commas between them"), names),
    read: () => {
      const named = profiles.value.split(",").map((each) => each.trim()).filter(Boolean);
      return named.length ? { profiles: named } : {};
    },
  };
}

const numeric = ({ step, min, max }, required) => {
  const input = element("input", { type: "number", step, min, inputmode: "decimal", ...(max ? { max } : {}) });
  input.required = required;
  return input;
};

function perSelection(market, each) {
  const keys = selectionKeys(market).filter((key) => market.selections[key].status === "active");
  const nodes = keys.map((key) => {
    const { price } = market.selections[key];
    return field(`${selectionName(key, market.selections[key])}: ${each.label.toLowerCase()}`, numeric(each, false), price == null ? "no price now" : `now ${price.toFixed(2)}`);
  });
  const read = (labels) => {
    const entered = labels.map((label, index) => [keys[index], label.querySelector("input").value]).filter(([, value]) => value !== "");
    if (!entered.length) throw new Error("enter a number for at least one selection");
    return Object.fromEntries(entered.map(([key, value]) => [key, Number(value)]));
  };
  return nodes.length ? { nodes, read } : { nodes: [element("p", {}, "No selection is active.", element("input", { type: "hidden" }))], read };
}

/** The scopes that an action may have around what is selected, narrowest first, each with its name. */
function scopesOf(action, event, market) {
  const ofMarket = market ? [[{ market: market.id }, `market: ${marketName(market)}`]] : [];
  if (action === "price" || action === "shift") return ofMarket;
  const selections = market && action === "suspend"
    ? selectionKeys(market).map((key) => [{ selection: `${market.id}/${key}` }, `selection: ${selectionName(key, market.selections[key])}`]) : [];
  const types = market ? [[{ event: event.id, types: [market.type] }, `event, all markets of this type: ${title(market.type)}`]] : [];
  return [
    ...ofMarket, [{ event: event.id }, `event: ${event.name}`], ...types,
    [{ competition: event.competition.id }, `competition: ${event.competition.name}`], [{ sport: event.sport }, `sport: ${title(event.sport)}`],
    ...selections,
  ];
}

/** Ask which of some commands to lift; the one that was made last is chosen. */
export function askLift(commanding, commands, about) {
  if (!commands.length) return commanding.listener.say(`No command holds for ${about}.`);
  const inputs = commands.map((command, index) => {
    const input = element("input", { type: "radio", name: "command", value: String(index) });
    input.checked = index === 0;
    const { kind } = target(command.scope);
    const wide = kind === "event" || kind === "market" || kind === "selection" ? "" : ` (the whole ${kind === "all" ? "offer" : kind})`;
    return element("label", { class: "check" }, input, element("span", { text: `${commanding.commandText(command)}${wide}: ${command.author}${command.reason ? `, "${command.reason}"` : ""}` }));
  });
  return ask({
    heading: `Lift: ${about}`, confirm: "Lift",
    body: [element("fieldset", {}, element("legend", { text: "Commands that hold" }), ...inputs)],
    submit: () => commanding.lift(commands[inputs.findIndex((label) => label.querySelector("input").checked)]),
  });
}

/** Suspend everything, after two questions. */
export async function askSuspendAll(commanding, live) {
  const reason = element("input", { maxlength: "500", autocomplete: "off" });
  const isSure = await ask({
    heading: "Suspend everything?", confirm: "Continue", isDangerous: true,
    body: [element("p", { text: "Every market of every event is suspended for all brands, also those that come, until this is lifted." }), field("Reason", reason)],
    focus: reason, submit: () => undefined,
  });
  if (!isSure) return;
  const open = [...live.store.markets.values()].filter((market) => market.status === "open").length;
  await ask({
    heading: `Really suspend everything? Open markets: ${open}`, confirm: "Suspend everything", isDangerous: true, body: [],
    submit: () => commanding.make({ action: "suspend", scope: { all: true }, reason: reason.value.trim() || "suspend everything", expires: null }),
  });
}
