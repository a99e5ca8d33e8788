// What a client does after every refusal, closing code and loss: the table in docs/protocol.md. oddsengine/client/recovery.py
// has the same rows; a test compares them.

export const BACK_OFF = "back_off";
export const WAIT = "wait";
export const AS_ASKED = "as_asked";
export const RESTRAIN = "restrain";
export const RESTART = "restart";
export const ASK_TOKEN = "ask_token";
export const GIVE_UP = "give_up";
export const ASK_AGAIN = "ask_again";
export const ASK_WITH_TOKEN = "ask_with_token";
export const ASK_FOR_SNAPSHOT = "ask_for_snapshot";
export const REPORT = "report";

/** code -> [kind, action] */
export const TABLE = {
  // HTTP statuses of the handshake
  "401": ["status", ASK_TOKEN], "403": ["status", GIVE_UP], "404": ["status", GIVE_UP], "408": ["status", WAIT],
  "425": ["status", WAIT], "429": ["status", WAIT], "4xx": ["status", GIVE_UP], "5xx": ["status", WAIT], "other": ["status", WAIT],
  // closing codes
  "1009": ["close", RESTRAIN], "1012": ["close", AS_ASKED], "1013": ["close", WAIT], "4400": ["close", WAIT],
  "4401": ["close", ASK_TOKEN], "4403": ["close", RESTART], "4408": ["close", ASK_TOKEN], "4429": ["close", RESTRAIN],
  "closed": ["close", BACK_OFF],
  // losses without a code
  "unreachable": ["loss", BACK_OFF], "silence": ["loss", BACK_OFF], "protocol": ["loss", WAIT], "token": ["loss", BACK_OFF],
  // error codes of requests
  "unknown_channel": ["error", ASK_AGAIN], "over_limit": ["error", ASK_AGAIN], "not_ready": ["error", ASK_AGAIN],
  "internal": ["error", ASK_AGAIN], "not_found": ["error", ASK_AGAIN], "forbidden": ["error", ASK_WITH_TOKEN],
  "bad_request": ["error", ASK_FOR_SNAPSHOT], "unsupported_format": ["error", GIVE_UP], "bad_message": ["error", ASK_AGAIN],
  "unauthorised": ["error", REPORT],
};

export const actionOf = (code) => TABLE[code][1];

const isOf = (kind, code) => TABLE[code]?.[0] === kind;

export function codeOfStatus(status) {
  if (isOf("status", String(status))) return String(status);
  if (status >= 400 && status < 500) return "4xx";
  return status >= 500 && status < 600 ? "5xx" : "other";
}

export const codeOfClosing = (code) => (isOf("close", String(code)) ? String(code) : "closed");

/** The row of an error code: that of `internal` for one that a later gateway may send. */
export const codeOfError = (code) => (isOf("error", code) ? code : "internal");

/** How long a client waits, in milliseconds; each as in oddsengine.client.Timing, but for `probeMs`: for the answer to a check. */
export const TIMING = {
  backoffMs: 100, maxBackoffMs: 5000, steadyRetries: 25, longBackoffMs: 1000, maxLongBackoffMs: 30_000, maxRefusedMs: 10_000,
  maxAskedMs: 3_600_000, settledAfterMs: 10_000, servedAfterMs: 2000, welcomeMs: 10_000, firstWelcomeMs: 3000, minWelcomeMs: 1000,
  renewShare: 0.2, renewBeforeMs: 60_000, tokenMs: 30_000, probeMs: 2000, draw: Math.random,
};

// A connection may take so many times as long as the quickest of the last ones, and how much longer after one that took too long.
const MARGIN = 4;
const REMEMBERED = 3;
const GROWTH = 1.5;
// So many sockets in a row that a server which answers did not let through are blocked on their way; and for how long event streams
// take their place.
const MAX_BLOCKED = 2;
const SSE_MS = 600_000;

/** Draw a wait between 0 and a limit that doubles with each failure in a row; after a loss it stays at the third doubling for a while. */
export function backoff(timing, failures, long = false) {
  const [start, max] = long ? [timing.longBackoffMs, timing.maxLongBackoffMs] : [timing.backoffMs, timing.maxBackoffMs];
  const doublings = long ? failures : Math.min(failures, Math.max(3, failures - timing.steadyRetries));
  return timing.draw() * Math.min(max, start * 2 ** Math.min(doublings, 30));
}

/** Draw the wait until a refused channel is asked for again. */
export function askAgainInMs(timing, refusals) {
  return timing.draw() * Math.min(timing.maxRefusedMs, timing.longBackoffMs * 2 ** Math.min(refusals, 30));
}

/** The milliseconds that a `Retry-After` header asks for, seconds or a date; undefined if there is no valid one. */
export function retryAfterMs(value) {
  if (value == null) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

/** The profile whose prices a token shows; undefined for the default. The claims of the token are not verified here. */
export function profileOf(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)).profile ?? undefined;
  } catch {
    return undefined;
  }
}

/** In how many milliseconds to ask for the next token; undefined if the present one has almost or already expired. */
export function renewInMs(timing, leftMs) {
  return leftMs > 200 ? leftMs - Math.min(timing.renewBeforeMs, leftMs * timing.renewShare) : undefined;
}

/** How long a client waits before each connection. */
export class Waits {
  // connections in a row that failed or did not last
  #lost = 0;
  #refusals = 0;

  constructor(timing) {
    this.timing = timing;
    /** when the gateway has asked to reconnect, milliseconds after the disconnect @type {number | undefined} */
    this.askedMs = undefined;
    /** whether the present wait is one that the gateway has asked for */
    this.isAsked = false;
  }

  /** Note how long a connection has lasted, milliseconds; undefined if the gateway did not welcome it. */
  ended(lastedMs) {
    if (lastedMs >= this.timing.settledAfterMs) this.#lost = this.#refusals = 0;
    else if (lastedMs >= this.timing.servedAfterMs) this.#lost = 0;
  }

  /** Note that the network or the machine is another one than before: what failed then says little of what is to come. */
  renew() {
    this.#lost = 0;
  }

  /**
   * @param {string} action what the table prescribes
   * @param {string | null | undefined} retryAfter the header
   * @param {boolean} withOtherToken whether the next connection has another token, which is not kept waiting the first time
   */
  next(action, retryAfter, withOtherToken) {
    const asked = this.askedMs;
    const retryMs = retryAfterMs(retryAfter);
    this.askedMs = undefined;
    this.isAsked = asked !== undefined || retryMs !== undefined;
    if (asked !== undefined) return Math.min(asked, this.timing.maxAskedMs);
    const isRefusal = action === WAIT || action === RESTRAIN;
    const atOnce = withOtherToken && this.#lost + this.#refusals === 0;
    const delay = atOnce ? 0 : backoff(this.timing, isRefusal ? this.#refusals : this.#lost, isRefusal);
    if (isRefusal) this.#refusals += 1;
    else this.#lost += 1;
    // The wait is added, so that all who were refused do not come back in the same moment.
    return Math.min(retryMs ?? 0, this.timing.maxAskedMs) + delay;
  }
}

/**
 * Limits how long a connection may take until the gateway has welcomed the client. The limit is short after a connection that fell
 * silent, where connections are quick: what its network swallows is soon tried again. One that was closed was closed by somebody,
 * who may have many to welcome again. The limit grows with each attempt that takes too long, so that one comes about on a slow
 * network, and at a busy gateway.
 */
export class ConnectTimeout {
  #tookMs = [];
  #tooLong = 0;
  #fellSilent = false;
  #beganMs = 0;

  constructor(timing) {
    this.timing = timing;
  }

  get limitMs() {
    const { welcomeMs, firstWelcomeMs, minWelcomeMs } = this.timing;
    if (!this.#tookMs.length) return this.#grown(firstWelcomeMs, welcomeMs);
    return this.#grown(Math.max(this.#fellSilent ? minWelcomeMs : firstWelcomeMs, MARGIN * Math.min(...this.#tookMs)), welcomeMs);
  }

  #grown(startMs, maxMs) {
    return Math.min(maxMs, startMs * GROWTH ** Math.min(this.#tooLong, 30));
  }

  /** Within how long an answer over HTTP shows that sockets are blocked, not that the network is slow. */
  get quickMs() {
    return this.limitMs / MARGIN;
  }

  /** Note that the last connection was lost without a word. */
  noteSilence() {
    this.#fellSilent = true;
  }

  /** Whether nothing is known of the network, or a connection took too long twice: then something may block it. */
  get isDoubtful() {
    return !this.#tookMs.length || this.#tooLong > 1;
  }

  /** Note that a connection is being made. Return how long it may take, and then its first message. */
  begin(nowMs) {
    this.#beganMs = nowMs;
    return this.limitMs;
  }

  noteWelcome(nowMs) {
    this.#tookMs = [...this.#tookMs.slice(1 - REMEMBERED), nowMs - this.#beganMs];
    this.#tooLong = 0;
    this.#fellSilent = false;
  }

  /** Note that a connection took too long. Return whether no other one may take longer. */
  timedOut() {
    const isLongest = this.limitMs >= this.timing.welcomeMs;
    this.#tooLong += 1;
    return isLongest;
  }
}

/** Decides when event streams take the place of sockets, which something on the way blocks. */
export class SseFallback {
  #blocked = 0;
  #untilMs = 0;

  get isActive() {
    return Date.now() < this.#untilMs;
  }

  noteBlocked() {
    this.#blocked += 1;
    if (this.#blocked < MAX_BLOCKED) return;
    this.#blocked = 0;
    this.#untilMs = Date.now() + SSE_MS;
  }

  notePassed() {
    this.#blocked = 0;
  }
}
