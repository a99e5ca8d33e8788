// Commands from this console: made, lifted, confirmed and undone; and what they are for, in words.

import { marketName, selectionName, title } from "../names.js";

const KINDS = ["selection", "market", "event", "competition", "sport"];

/** What a scope names: its kind and key; the key of `all` is empty. */
export function target(scope) {
  const kind = KINDS.find((each) => scope[each] !== undefined) ?? "all";
  return { kind, key: scope[kind] === true ? "" : scope[kind] ?? "" };
}

export class Commanding {
  #done = [];

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./live.js").Live} live
   * @param {{changed: () => void, say: (text: string, options?: object) => void}} listener
   */
  constructor(api, live, listener) {
    this.api = api;
    this.live = live;
    this.listener = listener;
    /** the names of the profiles that this person may command */
    this.profiles = [];
    /** who this person is and what they may do, as `GET /v1/me` says */
    this.person = {};
  }

  async start() {
    try {
      [this.person, { profiles: this.profiles }] = await Promise.all([this.api.get("v1/me"), this.api.get("v1/profiles")]);
    } catch (problem) {
      if (problem.status === 403) this.api.signIn(problem);
      else if (problem.status !== 401) setTimeout(() => this.start(), 1000 * Math.max(1, problem.retryAfterS ?? 0));
      return;
    }
    this.listener.changed();
  }

  /** Those that hold, newest first. */
  get active() {
    return this.live.floor.active;
  }

  /** Make a command. Throws Refused. */
  async make(command) {
    const made = await this.api.make(command);
    this.#done.push({ undo: () => this.api.lift(made.id), what: `${title(made.action)}, ${this.scopeText(made.scope)}` });
    const holds = made.markets === undefined ? "" : ` (${made.markets} ${made.markets === 1 ? "market" : "markets"})`;
    this.#report(made, `${title(made.action)}: ${this.scopeText(made.scope)}${holds}`);
    for (const warning of made.warnings ?? []) this.listener.say(warning, { isProblem: true, keepsUndo: true });
    return made;
  }

  /** Lift a command. Throws Refused. */
  async lift(command) {
    const lifted = await this.api.lift(command.id);
    this.#done.push({ undo: () => this.#makeAgain(command), what: `lifting of ${this.commandText(command)}` });
    this.#report(lifted, `Lifted: ${this.commandText(command)}`);
  }

  async confirm(command) {
    this.#report(await this.api.confirm(command.id), `Confirmed: ${this.commandText(command)}`, false);
  }

  /** Why this person may not confirm a proposal; undefined if they may. */
  whyNotConfirm(command) {
    if (command.state !== "proposed") return "it is no proposal";
    return command.author === this.person.sub ? "somebody else must confirm it" : undefined;
  }

  /** Undo what this console did last, and what was done before that when it is called again. */
  async undo() {
    const last = this.#done.pop();
    if (!last) return this.listener.say("Nothing to undo.");
    try {
      this.live.floor.note(await last.undo());
      this.listener.say(`Undone: ${last.what}`);
    } catch (problem) {
      this.#done.push(last);
      this.listener.say(`Not undone: ${problem.message}`, { isProblem: true });
    }
  }

  /** The commands that hold for an event or its markets, or for one market, newest first. */
  concerning(event, market) {
    return this.#concerning(this.active, event, market);
  }

  /** The proposals for them, newest first. */
  proposedFor(event, market) {
    return this.#concerning(this.live.floor.proposed, event, market);
  }

  #concerning(commands, event, market) {
    return commands.filter(({ scope }) => {
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
    return `${title(command.action)}${values ? ` ${values}` : ""}, ${this.scopeText(command.scope, command.about)}`;
  }

  /** What a scope is of. `about` is what its event and market were called when the command was made. */
  scopeText(scope, about) {
    const { kind, key } = target(scope);
    const narrowed = [
      ...(scope.types ?? []).map(title),
      ...(scope.in_play === undefined ? [] : [scope.in_play ? "in play" : "before the start"]),
      ...(scope.profiles && !scope.profiles.includes("*") ? [`for ${scope.profiles.join(", ")}`] : []),
    ];
    return [this.#nameOf(kind, key, about), ...narrowed].join(", ");
  }

  #nameOf(kind, key, about) {
    if (kind === "all") return "everything";
    if (kind === "sport") return title(key);
    if (kind === "event") return this.live.events.get(key)?.name ?? about ?? key;
    if (kind === "competition") {
      for (const event of this.live.events.values()) if (event.competition.id === key) return event.competition.name;
      return about ?? key;
    }
    const market = this.live.market(kind === "market" ? key : key.slice(0, key.lastIndexOf("/")));
    if (!market) return about ?? key;
    const name = `${this.live.events.get(market.event)?.name ?? market.event}: ${marketName(market)}`;
    if (kind === "market") return name;
    const selection = key.slice(key.lastIndexOf("/") + 1);
    return `${name}: ${market.selections[selection] ? selectionName(selection, market.selections[selection]) : selection}`;
  }

  #report(answer, text, canUndo = true) {
    this.live.floor.note(answer);
    this.listener.changed();
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
