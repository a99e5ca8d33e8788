// The console: signs in, shows one of the views, and passes keys and what has changed to it, once per animation frame.

import { element, setText } from "../dom.js";
import { Api } from "./api.js";
import { Commanding, target } from "./commanding.js";
import { Live } from "./live.js";
import { SignIn } from "./sign_in.js";
import { clockText } from "./parts/ages.js";
import { ask, askSuspendAll } from "./parts/dialog.js";
import { causeOf } from "./reasons.js";
import { Board } from "./views/board.js";
import { CommandsView } from "./views/commands.js";
import { EventView } from "./views/event.js";
import { FeedsView } from "./views/feeds.js";
import { TroubleView } from "./views/trouble.js";

const TICK_MS = 1000;
const NOTICE_MS = 8000;
const STATE_TEXT = {
  connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", stale: "Prices may be out of date", refused: "Signed out", failed: "Refused",
};
const KEYS = [
  ["1 to 4", "board, trouble, who did what, feeds"], ["/", "search"], ["arrows, Page, Home, End", "select"], ["Enter", "open"], ["Escape", "back"],
  ["s", "suspend what is selected"], ["l", "lift a command that holds for it"], ["u", "undo what you did last"], ["Shift s", "suspend everything"],
  ["p, h, m, d, b", "price, shift, limit, bet delay, book sum"], ["r, t, n", "result, take it back, note"], ["c", "confirm a proposal of somebody else"],
  ["y, n", "of a doubtful pair: the same, not the same"],
];

const byId = (id) => document.getElementById(id);

class Console {
  #frame = 0;
  #connection = "connecting";
  #view;

  constructor() {
    this.tokens = new SignIn({ renewed: () => undefined, ending: (endsMs) => this.#sayEnding(endsMs) });
    this.api = new Api(this.tokens, (refused) => this.signIn(refused));
    this.live = new Live(this.api, () => this.redraw(), (state, detail) => this.#showState(state, detail));
    this.commanding = new Commanding(this.api, this.live, { changed: () => this.redraw(), say: (text, options) => this.say(text, options) });
    this.views = { board: new Board(this), event: new EventView(this), trouble: new TroubleView(this), commands: new CommandsView(this), feeds: new FeedsView(this) };
    for (const view of Object.values(this.views)) {
      view.root.hidden = true;
      byId("content").append(view.root);
    }
    addEventListener("hashchange", () => this.#route());
    document.addEventListener("keydown", (event) => this.#key(event));
    byId("suspend-all").addEventListener("click", () => askSuspendAll(this.commanding, this.live));
    byId("help").addEventListener("click", () => this.#help());
    byId("login").addEventListener("submit", (event) => {
      event.preventDefault();
      this.tokens.token = byId("token").value.trim();
      byId("token").value = "";
      this.start();
    });
    byId("sign-in-at-provider").addEventListener("click", () => this.#leave());
    byId("sign-out").addEventListener("click", () => {
      const message = this.tokens.token === undefined ? "" : "Signed out.";
      this.tokens.end();
      this.signIn({ message });
    });
    setInterval(() => this.#tick(), TICK_MS);
  }

  start() {
    byId("login").hidden = true;
    byId("content").hidden = false;
    document.body.classList.remove("signed-out");
    setText(byId("sign-out"), this.tokens.token === undefined ? "Sign in" : "Sign out");
    this.live.start();
    this.commanding.start();
    this.#route();
  }

  /** Stop, and ask for another token. */
  signIn({ message, status }) {
    this.live.stop();
    if (status === 401 && this.tokens.token === undefined) message = "";
    byId("content").hidden = true;
    byId("login").hidden = false;
    document.body.classList.add("signed-out");
    setText(byId("login-problem"), message ?? "");
    const { provider } = this.tokens;
    byId("provider").hidden = !provider;
    byId("by-token").open ||= !provider;
    byId("by-token").firstElementChild.hidden = !provider;
    if (provider) setText(byId("provider-name"), new URL(provider.issuer).host);
    this.#showState("refused");
    (provider ? byId("sign-in-at-provider") : byId("token")).focus();
  }

  async #leave() {
    try {
      await this.tokens.begin();
    } catch (problem) {
      setText(byId("login-problem"), problem.message);
      this.say(problem.message, { isProblem: true });
    }
  }

  /** Warn that the sign-in ends, which nothing renews. */
  #sayEnding(endsMs) {
    const again = element("button", { type: "button", text: "Sign in again" });
    again.addEventListener("click", () => this.#leave());
    byId("ending").replaceChildren(`Your sign-in ends at ${clockText(endsMs)}. `, again);
    byId("ending").hidden = false;
  }

  /** Draw what has changed with the next frame; a hidden page gets none until it is visible. */
  redraw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  go(view, key) {
    location.hash = key === undefined ? view : `${view}=${encodeURIComponent(key)}`;
  }

  say(text, { isProblem = false, canUndo = false, keepsUndo = false } = {}) {
    // Only what was done last can be undone.
    if (!keepsUndo) for (const button of byId("notices").querySelectorAll("button")) button.remove();
    const notice = element("p", { class: isProblem ? "notice problem" : "notice" }, text);
    if (canUndo) {
      const undo = element("button", { type: "button" }, "Undo ", element("kbd", { text: "u" }));
      undo.addEventListener("click", () => {
        notice.remove();
        this.commanding.undo();
      });
      notice.append(" ", undo);
    }
    byId("notices").replaceChildren(...[...byId("notices").children].slice(-2), notice);
    setTimeout(() => notice.remove(), isProblem ? 3 * NOTICE_MS : NOTICE_MS);
  }

  /** Do something that may be refused, and say so if it is. */
  async attempt(action) {
    try {
      await action();
    } catch (problem) {
      this.say(problem.message, { isProblem: true });
    }
  }

  lift(command) {
    return this.attempt(() => this.commanding.lift(command));
  }

  #route() {
    if (!byId("login").hidden) return;
    const [name, key] = location.hash.slice(1).split("=", 2);
    const shown = this.views[name] && (name !== "event" || key) ? name : "board";
    if (this.#view !== this.views[shown]) this.#view?.hide?.();
    this.#view = this.views[shown];
    for (const [each, view] of Object.entries(this.views)) view.root.hidden = each !== shown;
    for (const link of byId("views").children) {
      if (link.dataset.view === (shown === "event" ? "board" : shown)) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.#view.show(key === undefined ? undefined : decodeURIComponent(key));
    this.redraw();
  }

  #draw() {
    const { sub, role } = this.commanding.person;
    setText(byId("person"), role ? `${sub} (${role})` : "");
    const changed = this.live.takeChanges();
    this.#view?.draw(changed);
  }

  #tick() {
    const markets = [...this.live.store.markets.values()];
    setText(byId("rate"), String(this.live.updates));
    this.live.updates = 0;
    setText(byId("open-markets"), String(markets.filter((market) => market.status === "open").length));
    const { floor } = this.live;
    const count = markets.filter((market) => causeOf(market) === "guard").length + floor.trouble.size + floor.proposed.length
      + [...floor.feeds.values()].filter((feed) => feed.state !== "live").length;
    setText(byId("trouble-count"), String(count));
    byId("trouble-count").hidden = count === 0;
    const all = this.commanding.active.find(({ action, scope }) => action === "suspend" && target(scope).kind === "all");
    byId("all-suspended").hidden = !all;
    if (all && byId("all-suspended").dataset.command !== all.id) this.#showBanner(all);
    if (this.#connection === "live") this.#showState("live");
    this.#view?.tick?.();
    this.redraw();
  }

  #showBanner(command) {
    const lift = element("button", { type: "button", text: "Lift" });
    lift.addEventListener("click", () => this.lift(command));
    byId("all-suspended").dataset.command = command.id;
    byId("all-suspended").replaceChildren(`Everything is suspended by ${command.author}${command.reason ? `: ${command.reason}` : ""} `, lift);
  }

  #showState(state, detail) {
    this.#connection = state;
    const shown = state === "live" && this.live?.store.stale.size ? "stale" : state;
    byId("connection").dataset.state = shown;
    setText(byId("connection-text"), detail ? `${STATE_TEXT[shown]} (${detail})` : STATE_TEXT[shown]);
  }

  #help() {
    ask({
      heading: "Keys", confirm: "Close", canCancel: false, submit: () => undefined,
      body: [element("dl", { class: "keys" }, ...KEYS.flatMap(([key, text]) => [element("dt", {}, element("kbd", { text: key })), element("dd", { text })]))],
    });
  }

  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !byId("login").hidden) return;
    if (event.target.closest("dialog, input, select, textarea")) return;
    // Enter and the space bar are those of a button or link that has the focus.
    if ((event.key === "Enter" || event.key === " ") && event.target.closest("a, button")) return;
    const views = ["board", "trouble", "commands", "feeds"];
    if (views[Number(event.key) - 1]) this.go(views[Number(event.key) - 1]);
    else if (event.key === "u") this.commanding.undo();
    else if (event.key === "?") this.#help();
    else if (event.key === "S") askSuspendAll(this.commanding, this.live);
    else if (!this.#view?.key(event)) return;
    event.preventDefault();
  }
}

const console_ = new Console();
// A token may be passed in the fragment, which browsers never send, and is kept for this tab only.
const linkToken = new URLSearchParams(location.hash.slice(1)).get("token");
if (linkToken) {
  console_.tokens.token = linkToken;
  history.replaceState(null, "", location.pathname + location.search);
}
await console_.tokens.start();
if (console_.tokens.problem && !console_.tokens.token) console_.signIn({ message: console_.tokens.problem });
else console_.start();
