// Who did what: the log of commands, newest first.

import { element, setText } from "../../dom.js";
import { title } from "../../names.js";
import { valuesText } from "../commanding.js";
import { clockText } from "../parts/ages.js";
import { List } from "../parts/list.js";

const COLUMNS = [
  { key: "time", name: "Time" }, { key: "author", name: "Who" }, { key: "action", name: "What" }, { key: "scope", name: "Where" },
  { key: "reason", name: "Why" }, { key: "expires", name: "Expires" }, { key: "state", name: "State" },
];
const STATES = ["", "active", "proposed", "expired", "lifted"];

export class CommandsView {
  constructor(console) {
    this.console = console;
    this.search = element("input", { type: "search", placeholder: "Search  /", "aria-label": "Search commands", autocomplete: "off" });
    this.state = element("select", { "aria-label": "State" });
    for (const state of STATES) this.state.append(element("option", { value: state, text: state || "all states" }));
    this.count = element("span", { class: "count", role: "status" });
    this.lift = element("button", { type: "button" }, "Lift ", element("kbd", { text: "l" }));
    this.confirm = element("button", { type: "button" }, "Confirm ", element("kbd", { text: "c" }));
    this.lift.addEventListener("click", () => this.#lift());
    this.confirm.addEventListener("click", () => this.#confirm());
    this.list = new List({ label: "Commands", kind: "commands", columns: COLUMNS, render: (cells, item, row) => this.#drawRow(cells, item, row), selected: () => this.#drawButtons() });
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
    this.console.commanding.wantsAll = true;
    this.console.commanding.refresh();
    this.list.root.focus();
  }

  hide() {
    this.console.commanding.wantsAll = false;
  }

  draw() {
    const { commanding } = this.console;
    const text = this.search.value.trim().toLowerCase();
    const shown = commanding.all.filter((command) => {
      if (this.state.value && command.state !== this.state.value) return false;
      return !text || `${command.author} ${command.action} ${commanding.scopeText(command.scope)} ${command.reason} ${command.id}`.toLowerCase().includes(text);
    });
    const signature = shown.map((command) => command.id + command.state).join(" ");
    setText(this.count, commanding.problem ? commanding.problem.message : `${shown.length} of ${commanding.all.length} commands`);
    if (signature === this.signature) return;
    this.signature = signature;
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

  #lift() {
    const command = this.list.selected?.command;
    if (command && !this.lift.disabled) this.console.lift(command);
  }

  #confirm() {
    const command = this.list.selected?.command;
    if (command && !this.confirm.disabled) this.console.attempt(() => this.console.commanding.confirm(command));
  }

  #drawButtons() {
    const state = this.list.selected?.command.state;
    this.lift.disabled = state !== "active" && state !== "proposed";
    this.confirm.disabled = state !== "proposed";
  }

  #drawRow(cells, { command }, row) {
    const values = valuesText(command.values);
    const day = new Date(command.created);
    setText(cells.time, day.toDateString() === new Date().toDateString() ? clockText(day) : `${day.toLocaleDateString()} ${clockText(day)}`);
    setText(cells.author, command.author);
    setText(cells.action, `${title(command.action)}${values ? ` ${values}` : ""}${command.force ? " (forced)" : ""}`);
    setText(cells.scope, this.console.commanding.scopeText(command.scope));
    setText(cells.reason, command.reason);
    setText(cells.expires, command.expires === null ? "never" : command.expires === "kick_off" ? "kick-off" : clockText(command.expires));
    setText(cells.state, command.lifted_by ? `lifted by ${command.lifted_by}` : command.state);
    row.dataset.state = command.state;
    for (const cell of Object.values(cells)) cell.title = cell.textContent;
  }
}
