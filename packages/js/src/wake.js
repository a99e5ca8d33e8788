// Notices that a connection may be dead although nothing says so: it is silent, the machine has slept, the network has changed.

// Heartbeat intervals without a message after which everything is stale, and after which the connection is given up.
const STALE_HEARTBEATS = 1.5;
export const SILENT_HEARTBEATS = 2.5;
const TICK_MS = 2000;
// Timers of hidden pages may be late by a minute; a check that was not needed costs a ping.
const SLEPT_MS = 5000;

/** Call a function whenever the connection should be checked. Returns what ends that. */
export function watchWake(check) {
  let tickedMs = Date.now();
  const timer = setInterval(() => {
    const late = Date.now() - tickedMs - TICK_MS;
    tickedMs = Date.now();
    // A machine whose clock goes back when it wakes up may have slept for any time.
    if (late > SLEPT_MS || late < -TICK_MS) check("slept");
  }, TICK_MS);
  timer.unref?.(); // in Node, it keeps no process alive
  const { document, navigator } = globalThis;
  const listening = [
    [globalThis, "online", () => check("online")],
    [globalThis, "offline", () => check("offline")],
    [globalThis, "pageshow", (event) => event.persisted && check("page shown")],
    [document, "visibilitychange", () => document.visibilityState === "visible" && check("page shown")],
    [navigator?.connection, "change", () => check("network changed")],
  ].filter(([target]) => target?.addEventListener);
  for (const [target, type, listener] of listening) target.addEventListener(type, listener);
  return () => {
    clearInterval(timer);
    for (const [target, type, listener] of listening) target.removeEventListener(type, listener);
  };
}

/** Watches one connection at a time for silence. */
export class SilenceWatch {
  #timer;
  #probe;
  #silent = false;

  /**
   * @param {(op: "silent" | "heard") => void} mark is told when the connection begins to be silent, and when it is not any more
   * @param {() => void} lost is called when it has been silent for too long
   */
  constructor(mark, lost) {
    this.mark = mark;
    this.lost = lost;
    this.heardMs = 0;
    this.heartbeatMs = 0;
  }

  /** Watch a new connection, whose first message may take so long. */
  begin(firstMs) {
    this.heartbeatMs = firstMs / SILENT_HEARTBEATS;
    this.heard();
  }

  /** Note a message. */
  heard() {
    this.heardMs = Date.now();
    if (this.#silent) {
      this.#silent = false;
      this.mark("heard");
    }
    clearTimeout(this.#probe);
    this.#after(STALE_HEARTBEATS, () => {
      this.note();
      this.#after(SILENT_HEARTBEATS - STALE_HEARTBEATS, this.lost);
    });
  }

  /** Note that the connection is silent now. */
  note() {
    if (this.#silent) return;
    this.#silent = true;
    this.mark("silent");
  }

  /** Whether it has been silent for too long to be sure of it, by the wall clock: timers stand still while a machine sleeps. */
  get isLate() {
    const silentMs = Date.now() - this.heardMs;
    return silentMs > this.heartbeatMs * STALE_HEARTBEATS || silentMs < 0; // the clock was set back
  }

  /** Call a function unless something is heard within so many milliseconds. */
  expect(ms, missing) {
    clearTimeout(this.#probe);
    this.#probe = setTimeout(missing, ms);
  }

  end() {
    clearTimeout(this.#timer);
    clearTimeout(this.#probe);
    this.#silent = false;
  }

  #after(heartbeats, late) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(late, this.heartbeatMs * heartbeats);
  }
}
