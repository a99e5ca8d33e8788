// Requests to the gateway with the token of this tab.

const TIMEOUT_MS = 10_000;

/** A request that was refused, or not answered (`status` 0). */
export class Refused extends Error {
  constructor(status, message, retryAfterS = 0) {
    super(message);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

export class Api {
  /**
   * @param {import("./sign_in.js").SignIn} tokens
   * @param {(refused: Refused) => void} signIn is called when another token is needed
   */
  constructor(tokens, signIn) {
    this.tokens = tokens;
    this.signIn = signIn;
  }

  get(path) {
    return this.#ask("GET", path);
  }

  /** Make a command. If the answer is lost it is asked for again, which has no second effect. */
  async make(command) {
    const key = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const options = { body: JSON.stringify(command), headers: { "Content-Type": "application/json", "Idempotency-Key": key } };
    try {
      return await this.#ask("POST", "v1/commands", options);
    } catch (problem) {
      if (problem.status !== 0) throw problem;
      return this.#ask("POST", "v1/commands", options);
    }
  }

  lift(id) {
    return this.#ask("DELETE", `v1/commands/${encodeURIComponent(id)}`);
  }

  confirm(id) {
    return this.#ask("POST", `v1/commands/${encodeURIComponent(id)}/confirm`);
  }

  async #ask(method, path, { headers = {}, body } = {}) {
    const token = await this.tokens.current();
    const authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    let answer;
    let text;
    try {
      answer = await fetch(path, { method, body, headers: { ...headers, ...authorization }, signal: AbortSignal.timeout(TIMEOUT_MS) });
      text = await answer.text();
    } catch (problem) {
      throw new Refused(0, `the gateway does not answer (${problem.message})`);
    }
    if (answer.ok) return JSON.parse(text);
    const refused = new Refused(answer.status, messageOf(text) ?? `answered ${answer.status}`, Number(answer.headers.get("Retry-After")) || 0);
    // A token that was replaced meanwhile says nothing of the present one.
    if (answer.status === 401 && token === this.tokens.token) this.signIn(refused);
    throw refused;
  }
}

function messageOf(text) {
  try {
    return JSON.parse(text).error.message;
  } catch {
    return undefined;
  }
}
