// A modal dialog, and the questions that are asked in one. Enter confirms, Escape closes, the first field has the focus.

import { element } from "../../dom.js";
import { target } from "../commanding.js";

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
    // Browsers do not agree on what Enter does to a list of choices: here it confirms, and the arrows choose.
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target.tagName !== "SELECT") return;
      event.preventDefault();
      form.requestSubmit();
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

export const field = (label, input, note) => element("label", {}, element("span", { text: label }), input, ...(note ? [element("small", { text: note })] : []));

export const choice = (options, value) => {
  const select = element("select");
  for (const [key, text] of options) select.append(element("option", { value: key, text }));
  if (value !== undefined) select.value = value;
  return select;
};

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
