// Who did what: the log of commands, newest first.

import { element, setText } from "../../dom.js";
import { title } from "../../names.js";
import { target, valuesText } from "../commanding.js";
import { clockText } from "../parts/ages.js";
import { List } from "../parts/list.js";

const COLUMNS = [
  { key: "time", name: "Time" }, { key: "author", name: "Who" }, { key: "action", name: "What" }, { key: "scope", name: "Where" },
  { key: "reason", name: "Why" }, { key: "expires", name: "Expires" }, { key: "state", name: "State" },
];
const STATES = { "": "all states", active: "active", proposed: "to be confirmed", expired: "expired", lifted: "lifted" };

export class CommandsView {
  #shown;

  constructor(console) {
    this.console = console;
    this.search = element("input", { type: "search", placeholder: "Search  /", "aria-label": "Search commands", autocomplete: "off" });
    this.state = element("select", { "aria-label": "State" });
    for (const [value, text] of Object.entries(STATES)) this.state.append(element("option", { value, text }));
    this.count = element("span", { class: "count", role: "status" });
    this.lift = element("button", { type: "button", "aria-keyshortcuts": "l" }, "Lift ", element("kbd", { text: "l" }));
    this.confirm = element("button", { type: "button", "aria-keyshortcuts": "c" }, "Confirm ", element("kbd", { text: "c" }));
    this.lift.addEventListener("click", () => this.#lift());
    this.confirm.addEventListener("click", () => this.#confirm());
    this.list = new List({ label: "Commands", kind: "commands", columns: COLUMNS, render: (cells, item, row) => this.#drawRow(cells, item, row),
      open: (item) => this.#open(item.command), selected: () => this.#drawButtons() });
    this.root = element("section", { class: "view", "aria-label": "Who did what" },
      element("div", { class: "bar" }, this.search, this.state, this.lift, this.confirm, this.count), this.list.root);
    for (const input of [this.search, this.state]) input.addEventListener("input", () => console.redraw());
    this.search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      this.list.root.focus();
    });
  }

  show() {
    this.#shown = undefined;
    this.list.root.focus({ preventScroll: true });
  }

  draw(changed) {
    const { live, commanding } = this.console;
    const text = this.search.value.trim().toLowerCase();
    // Names come with events, commands with the stream.
    const shows = [live.floor.versions.commands, text, this.state.value, commanding.person.sub].join("\n");
    if (shows === this.#shown && !changed.all) return;
    this.#shown = shows;
    const { all } = live.floor;
    const shown = all.filter((command) => {
      if (this.state.value && command.state !== this.state.value) return false;
      return !text || `${command.author} ${command.action} ${this.#where(command)} ${command.reason} ${command.id}`.toLowerCase().includes(text);
    });
    if (live.floor.loaded.has("commands")) setText(this.count, shown.length === all.length ? `${all.length} commands` : `${shown.length} of ${all.length} commands`);
    else setText(this.count, "Loading");
    this.list.setItems(shown.map((command) => ({ key: command.id, command })));
    this.#drawButtons();
  }

  key(event) {
    switch (event.key) {
      case "/": this.search.focus(); return true;
      case "l": this.#lift(); return true;
      case "c": this.#confirm(); return true;
      default: return this.list.key(event);
    }
  }

  #where(command) {
    return this.console.commanding.scopeText(command.scope, command.about || undefined);
  }

  /** Go to what a command is about. */
  #open({ scope }) {
    const { kind, key } = target(scope);
    if (kind === "event" || kind === "market") this.console.go("event", key);
    else if (kind === "selection") this.console.go("event", key.slice(0, key.lastIndexOf("/")));
  }

  #lift() {
    const command = this.list.selected?.command;
    if (command && !this.lift.disabled) this.console.lift(command);
  }

  #confirm() {
    const command = this.list.selected?.command;
    if (!command) return;
    const problem = this.console.commanding.whyNotConfirm(command);
    if (problem) this.console.say(`Not confirmed: ${problem}.`, { isProblem: true });
    else this.console.attempt(() => this.console.commanding.confirm(command));
  }

  #drawButtons() {
    const command = this.list.selected?.command;
    this.lift.disabled = command?.state !== "active" && command?.state !== "proposed";
    const problem = command && this.console.commanding.whyNotConfirm(command);
    this.confirm.disabled = !command || problem !== undefined;
    this.confirm.title = problem ?? "";
  }

  #drawRow(cells, { command }, row) {
    const values = valuesText(command.values);
    const day = new Date(command.created);
    setText(cells.time, day.toDateString() === new Date().toDateString() ? clockText(day) : `${day.toLocaleDateString([], { day: "numeric", month: "short" })} ${clockText(day)}`);
    setText(cells.author, command.author);
    setText(cells.action, `${title(command.action)}${values ? ` ${values}` : ""}${command.force ? " (forced)" : ""}`);
    setText(cells.scope, this.#where(command));
    setText(cells.reason, command.reason);
    setText(cells.expires, command.expires === null ? "never" : command.expires === "kick_off" ? "kick-off" : clockText(command.expires));
    setText(cells.state, command.lifted_by ? `lifted by ${command.lifted_by}` : command.state === "proposed" ? "to be confirmed" : command.state);
    row.dataset.state = command.state;
    for (const cell of Object.values(cells)) cell.title = cell.textContent;
    const { key } = target(command.scope);
    if (key) cells.scope.title = `${cells.scope.textContent}\n${key}`;
    if (command.confirmed_by) cells.author.title = `${command.author}, confirmed by ${command.confirmed_by}`;
  }
}
