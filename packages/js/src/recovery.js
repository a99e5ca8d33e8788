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

/** How long a client waits, in milliseconds; each as in oddsengine.client.Timing. */
export const TIMING = {
  backoffMs: 100, maxBackoffMs: 5000, longBackoffMs: 1000, maxLongBackoffMs: 30_000, maxRefusedMs: 10_000,
  maxAskedMs: 3_600_000, settledAfterMs: 10_000, welcomeMs: 10_000, renewShare: 0.2, renewBeforeMs: 60_000, draw: Math.random,
};

/** Draw a wait between 0 and a limit that doubles with each failure in a row. */
export function backoff(timing, failures, long = false) {
  const [start, max] = long ? [timing.longBackoffMs, timing.maxLongBackoffMs] : [timing.backoffMs, timing.maxBackoffMs];
  return timing.draw() * Math.min(max, start * 2 ** Math.min(failures, 30));
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
