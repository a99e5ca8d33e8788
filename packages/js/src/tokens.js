// The token of a client: asked for by each connection, before it expires, and after it was refused.

import { profileOf, renewInMs } from "./recovery.js";

// A longer timer fires at once.
const MAX_TIMER_MS = 2 ** 31 - 1;

export class Tokens {
  #timer;
  // Whose prices the present connection may have shown: a token that was sent meanwhile may or may not have been accepted.
  #profiles = new Set([undefined]);

  /**
   * @param {() => string | undefined | Promise<string | undefined>} getToken
   * @param {object} timing when to renew
   * @param {(token: string) => void} send sends a renewed token on the open connection
   * @param {(error: Error) => void} failed is called with what `getToken` rejects with, when a token is renewed
   */
  constructor(getToken, timing, send, failed) {
    this.getToken = getToken;
    this.timing = timing;
    this.send = send;
    this.failed = failed;
    /** of the present connection @type {string | undefined} */
    this.current = undefined;
    /** that was refused, with the code and text of that @type {{token?: string, code: string, text: string} | undefined} */
    this.refused = undefined;
  }

  /** Ask for a token. Rejects if `getToken` does, or takes too long: what it asks may never answer, and the next call may. */
  async next() {
    const { tokenMs } = this.timing;
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`getToken has not answered within ${tokenMs / 1000} s`)), tokenMs);
    });
    try {
      return (await Promise.race([this.getToken(), late]))?.trim() || undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Use a token for the next connection. Return whether the last one may have shown the prices of another profile. */
  use(token) {
    const profile = profileOf(token);
    const isOther = this.#profiles.size > 1 || !this.#profiles.has(profile);
    this.#profiles = new Set([profile]);
    this.current = token;
    this.refused = undefined;
    return isOther;
  }

  /** Renew the token before it expires. */
  renewBefore(expiresMs) {
    clearTimeout(this.#timer);
    const delay = expiresMs == null ? undefined : renewInMs(this.timing, expiresMs - Date.now());
    if (delay === undefined) return;
    this.#timer = setTimeout(() => (delay > MAX_TIMER_MS ? this.renewBefore(expiresMs) : this.#renew(expiresMs)), Math.min(delay, MAX_TIMER_MS));
  }

  /** Renew no token: the connection has ended. */
  end() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #renew(expiresMs) {
    const timer = this.#timer;
    let token;
    try {
      token = await this.next();
    } catch (error) {
      if (timer === this.#timer) this.failed(error);
    }
    if (timer !== this.#timer) return; // it has ended meanwhile
    // If there is none yet, it is asked for again while the present one is valid.
    if (token === undefined || token === this.current) return this.renewBefore(expiresMs);
    this.current = token;
    this.#profiles.add(profileOf(token));
    this.send(token);
  }
}
