// What only a process with an engine knows: its feeds, and the pairs of events that may be the same.

const REFRESH_MS = 3000;
const ELSEWHERE = "No engine runs in this gateway's process: the state of the feeds and doubtful pairs are served at the engine's own address.";

export class EngineState {
  #timer;
  #isRunning = false;
  #text = "";

  /**
   * @param {import("./api.js").Api} api
   * @param {() => void} changed is called when something has
   */
  constructor(api, changed) {
    this.api = api;
    this.changed = changed;
    this.feeds = [];
    this.unmatched = [];
    this.problem = undefined;
    /** grows with each change */
    this.version = 0;
  }

  start() {
    this.#isRunning = true;
    this.refresh();
  }

  stop() {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  async refresh() {
    clearTimeout(this.#timer);
    let waitMs = REFRESH_MS;
    try {
      const [{ feeds }, { unmatched }] = await Promise.all([this.api.get("v1/feeds"), this.api.get("v1/unmatched")]);
      Object.assign(this, { feeds, unmatched, problem: undefined });
    } catch (problem) {
      if (problem.status === 401) return;
      const text = problem.status === 503 && problem.message.includes("no engine") ? ELSEWHERE : problem.message;
      Object.assign(this, { feeds: [], unmatched: [], problem: text });
      waitMs = Math.max(waitMs, problem.retryAfterS * 1000);
    }
    const text = JSON.stringify([this.feeds, this.unmatched, this.problem]);
    if (text !== this.#text) {
      this.#text = text;
      this.version += 1;
      this.changed();
    }
    clearTimeout(this.#timer);
    if (this.#isRunning) this.#timer = setTimeout(() => this.refresh(), waitMs);
  }
}
