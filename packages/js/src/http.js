// Requests beside the stream: price checks, tickets, and why a handshake failed.

const TIMEOUT_MS = 10_000;

/** A request that was refused (`status`, `code`), or not answered (`status` 0). */
export class RequestRefused extends Error {
  constructor(status, code, message, retryAfter) {
    super(message);
    this.name = "RequestRefused";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** The URL of a path of the gateway that serves a stream. */
export function apiUrl(streamUrl, path) {
  const url = new URL(streamUrl);
  url.protocol = url.protocol.replace(/^ws/, "http");
  url.pathname = url.pathname.replace(/\/v1\/stream$/, "") + path;
  url.search = url.hash = "";
  return url.href;
}

export async function post(url, token, body) {
  const headers = { "Content-Type": "application/json", ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) };
  let answer;
  let text;
  try {
    answer = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) });
    text = await answer.text();
  } catch (error) {
    throw new RequestRefused(0, "unreachable", `the gateway does not answer: ${error.message}`);
  }
  if (answer.ok) return JSON.parse(text);
  const { code, message } = errorOf(text);
  throw new RequestRefused(answer.status, code, message ?? `answered ${answer.status}`, answer.headers.get("Retry-After"));
}

/** Code and message of an error answer of a gateway. */
export function errorOf(text) {
  try {
    const { code, message } = JSON.parse(text).error;
    return { code, message };
  } catch {
    return {};
  }
}

/**
 * Ask over HTTP why a handshake failed: a page's socket does not say. The gateway answers as it does to a handshake.
 * @returns {Promise<{status: number, text: string, retryAfter: string | null} | undefined>} undefined if nobody answers
 */
export async function askWhy(streamUrl, timeoutMs) {
  try {
    const answer = await fetch(streamUrl.replace(/^ws/, "http"), { signal: AbortSignal.timeout(timeoutMs) });
    return { status: answer.status, text: await answer.text().catch(() => ""), retryAfter: answer.headers.get("Retry-After") };
  } catch {
    return undefined;
  }
}

/** Whether an answer lacks only the upgrade: something on the way keeps sockets off. */
export const isServed = (answer) => answer?.status === 400 || answer?.status === 426;

/** What a server answered, for people. */
export function describe({ status, text }) {
  const { message } = errorOf(text);
  return `answered ${status}${message === undefined ? "" : ` (${message})`}`;
}
