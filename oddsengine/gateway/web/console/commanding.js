// Commands from this console: made, lifted, confirmed and undone; those that hold; and what they are for, in words.

import { marketName, selectionName, title } from "../names.js";

const REFRESH_MS = 2000;
const KINDS = ["selection", "market", "event", "competition", "sport"];

/** What a scope names: its kind and key; the key of `all` is empty. */
export function target(scope) {
  const kind = KINDS.find((each) => scope[each] !== undefined) ?? "all";
  return { kind, key: scope[kind] === true ? "" : scope[kind] ?? "" };
}

export class Commanding {
  #done = [];
  #timer;
  #isRunning = false;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./live.js").Live} live
   * @param {{changed: () => void, say: (text: string, options?: object) => void}} listener
   */
  constructor(api, live, listener) {
    this.api = api;
    this.live = live;
    this.listener = listener;
    /** those that hold, newest first */
    this.active = [];
    /** those of the log too, while `wantsAll` */
    this.all = [];
    this.wantsAll = false;
    this.problem = undefined;
    /** the names of the profiles, once an explanation has told them */
    this.profiles = [];
  }

  start() {
    this.#isRunning = true;
    this.refresh();
  }

  stop() {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  /** Ask for the commands that hold, or for all while they are shown (`wantsAll`), and repeat. */
  async refresh() {
    clearTimeout(this.#timer);
    let waitMs = REFRESH_MS;
    try {
      const { commands } = await this.api.get(this.wantsAll ? "v1/commands" : "v1/commands?active=true");
      this.active = commands.filter((command) => command.state === "active");
      if (this.wantsAll) this.all = commands;
      this.problem = undefined;
    } catch (problem) {
      this.problem = problem;
      if (problem.status === 401) return;
      if (problem.status === 403) this.api.signIn(problem);
      waitMs = Math.max(waitMs, problem.retryAfterS * 1000);
    }
    this.listener.changed();
    clearTimeout(this.#timer);
    if (this.#isRunning) this.#timer = setTimeout(() => this.refresh(), waitMs);
  }

  /** Make a command. Throws Refused. */
  async make(command) {
    const made = await this.api.make(command);
    this.#done.push({ undo: () => this.api.lift(made.id), what: `${title(made.action)} ${this.scopeText(made.scope)}` });
    this.#report(made, `${title(made.action)}: ${this.scopeText(made.scope)}`);
    await this.refresh();
    return made;
  }

  /** Lift a command. Throws Refused. */
  async lift(command) {
    const lifted = await this.api.lift(command.id);
    this.#done.push({ undo: () => this.#makeAgain(command), what: `lifting of ${this.commandText(command)}` });
    this.#report(lifted, `Lifted: ${this.commandText(command)}`);
    await this.refresh();
  }

  async confirm(command) {
    this.#report(await this.api.confirm(command.id), `Confirmed: ${this.commandText(command)}`, false);
    await this.refresh();
  }

  /** Undo what this console did last, and what was done before that when it is called again. */
  async undo() {
    const last = this.#done.pop();
    if (!last) return this.listener.say("Nothing to undo.");
    try {
      await last.undo();
      this.listener.say(`Undone: ${last.what}`);
    } catch (problem) {
      this.#done.push(last);
      this.listener.say(`Not undone: ${problem.message}`, { isProblem: true });
    }
    await this.refresh();
  }

  /** The commands that hold for an event or its markets, or for one market, newest first. */
  concerning(event, market) {
    return this.active.filter(({ scope }) => {
      const { kind, key } = target(scope);
      switch (kind) {
        case "all": return true;
        case "sport": return key === event.sport;
        case "competition": return key === event.competition.id;
        case "event": return key === event.id;
        case "market": return market ? key === market.id : key.startsWith(`${event.id}/`);
        default: return key.startsWith(market ? `${market.id}/` : `${event.id}/`);
      }
    });
  }

  commandText(command) {
    const values = valuesText(command.values);
    return `${title(command.action)}${values ? ` ${values}` : ""}, ${this.scopeText(command.scope)}`;
  }

  scopeText(scope) {
    const { kind, key } = target(scope);
    const narrowed = [
      ...(scope.types ?? []).map(title),
      ...(scope.in_play === undefined ? [] : [scope.in_play ? "in play" : "before the start"]),
      ...(scope.profiles && !scope.profiles.includes("*") ? [`for ${scope.profiles.join(", ")}`] : []),
    ];
    return [this.#nameOf(kind, key), ...narrowed].join(", ");
  }

  #nameOf(kind, key) {
    if (kind === "all") return "everything";
    if (kind === "sport") return title(key);
    if (kind === "event") return this.live.events.get(key)?.name ?? key;
    if (kind === "competition") {
      for (const event of this.live.events.values()) if (event.competition.id === key) return event.competition.name;
      return key;
    }
    const market = this.live.market(kind === "market" ? key : key.slice(0, key.lastIndexOf("/")));
    if (!market) return key;
    const name = `${this.live.events.get(market.event)?.name ?? market.event}: ${marketName(market)}`;
    if (kind === "market") return name;
    const selection = key.slice(key.lastIndexOf("/") + 1);
    return `${name}: ${market.selections[selection] ? selectionName(selection, market.selections[selection]) : selection}`;
  }

  #report(answer, text, canUndo = true) {
    const notes = { pending: " (not published yet: it will be)", proposed: " (somebody else must confirm it)" };
    this.listener.say(text + (notes[answer.state] ?? ""), { canUndo });
  }

  #makeAgain({ action, scope, values, reason, expires, force }) {
    if (expires && expires !== "kick_off" && Date.parse(expires) <= Date.now()) throw new Error("it has expired meanwhile");
    return this.api.make({ action, scope, ...(values === null ? {} : { values }), reason, expires, ...(force ? { force } : {}) });
  }
}

export function valuesText(values) {
  if (values === null || values === undefined) return "";
  if (typeof values !== "object") return String(values);
  return Object.entries(values).map(([key, value]) => `${key} ${value}`).join(", ");
}
