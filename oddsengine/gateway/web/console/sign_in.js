// Signs in at the operator's OpenID Connect provider: the code flow with PKCE (RFC 7636), as a public client.
//
// Tokens are kept in sessionStorage: they end with the tab, no other tab or later visit finds them, and a reload in the middle of the
// night does not sign a trader out. localStorage would outlive all that. They are never part of a URL: the provider's redirect brings
// a code, which is worth nothing without the verifier of this tab.

import { isOffered } from "../dom.js";

const TOKEN_KEY = "oddsengine.token";
const RENEWAL_KEY = "oddsengine.console.renewal";
const FLOW_KEY = "oddsengine.console.sign-in";
// A share of its life after which a token is renewed: before the stream asks for the next one, when a fifth is left.
const RENEW_AT = 0.7;
const RETRY_MS = 5000;
const WARN_MS = 5 * 60_000;
const MAX_TIMER_MS = 2 ** 31 - 1;
// How much this clock and the provider's may differ (OpenID Connect Core 1.0, section 3.1.3.7).
const LEEWAY_S = 60;

const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** The claims of a JWT, not verified: the gateway has verified it, or will. */
export function claimsOf(token) {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(claims), (letter) => letter.charCodeAt(0))));
  } catch {
    return undefined;
  }
}

export class SignIn {
  #timer;
  #renewing;

  /** @param {{renewed: () => void, ending: (endsMs: number) => void}} listener is told that a token was renewed, or will end without one */
  constructor(listener) {
    this.listener = listener;
    /** what the gateway says of the provider; undefined without one */
    this.provider = undefined;
    this.problem = undefined;
  }

  get token() {
    return sessionStorage.getItem(TOKEN_KEY) ?? undefined;
  }

  /** Use a token that a person has entered, or none. */
  set token(value) {
    clearTimeout(this.#timer);
    sessionStorage.removeItem(RENEWAL_KEY);
    if (value) sessionStorage.setItem(TOKEN_KEY, value);
    else sessionStorage.removeItem(TOKEN_KEY);
    this.#schedule();
  }

  /** Whether the token came from the provider. */
  get isOfProvider() {
    return sessionStorage.getItem(RENEWAL_KEY) !== null;
  }

  /** Ask the gateway for its provider, finish a flow that has come back, and go on to renew a token of before a reload. */
  async start() {
    // First of all: neither the code nor the state stays in the address, or in the history.
    const answer = new URLSearchParams(location.search);
    const isBack = answer.has("code") || answer.has("error");
    const flow = JSON.parse(sessionStorage.getItem(FLOW_KEY) ?? "null");
    sessionStorage.removeItem(FLOW_KEY);
    if (isBack) history.replaceState(null, "", location.pathname + (flow?.view ?? ""));
    await this.describe();
    if (isBack) {
      try {
        await this.#finish(answer, flow);
      } catch (problem) {
        this.problem = problem.message;
      }
    }
    this.#schedule();
  }

  /** Ask the gateway for its provider, if there is one. */
  async describe() {
    if (!isOffered("provider")) return;
    try {
      const answer = await fetch("console/sign-in");
      if (answer.ok) this.provider = await answer.json();
      else if (answer.status !== 404) this.problem = (await answer.json()).error.message;
    } catch {
      this.problem = "The gateway does not answer.";
    }
  }

  /** Leave for the provider; it sends the person back to this view. */
  async begin() {
    if (!crypto.subtle) throw new Error("Browsers allow signing in on pages with https only, or on this machine.");
    const flow = { state: random(), nonce: random(), verifier: random(), redirect: location.origin + location.pathname, view: location.hash };
    sessionStorage.setItem(FLOW_KEY, JSON.stringify(flow));
    const url = new URL(this.provider.authorization_endpoint);
    const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(flow.verifier)));
    const parameters = {
      response_type: "code", client_id: this.provider.client_id, redirect_uri: flow.redirect, scope: this.provider.scope,
      state: flow.state, nonce: flow.nonce, code_challenge: challenge, code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    location.assign(url);
  }

  /** Forget the tokens, and end the session at the provider if it came from there and has a page for that. */
  end() {
    const wasOfProvider = this.isOfProvider;
    this.token = undefined;
    if (!wasOfProvider || !this.provider?.end_session_endpoint) return;
    const url = new URL(this.provider.end_session_endpoint);
    url.searchParams.set("client_id", this.provider.client_id);
    url.searchParams.set("post_logout_redirect_uri", location.origin + location.pathname);
    location.assign(url);
  }

  /** Return a token that is valid still, renewed if it has to be. */
  async current() {
    const { endsMs, refresh } = this.#renewal;
    if (refresh && endsMs <= Date.now()) await this.#renew();
    return this.token;
  }

  get #renewal() {
    return JSON.parse(sessionStorage.getItem(RENEWAL_KEY) ?? "{}");
  }

  async #finish(answer, flow) {
    // Some send no state with an error, of which nothing follows.
    const isOfFlow = flow && (answer.get("state") === flow.state || (answer.has("error") && !answer.has("state")));
    if (!isOfFlow) throw new Error("The answer of the identity provider does not belong to this tab. Sign in again.");
    if (answer.has("error")) throw new Error(`The identity provider refused: ${answer.get("error_description") ?? answer.get("error")}`);
    if (answer.has("iss") && answer.get("iss") !== this.provider?.issuer) throw new Error("The answer is of another identity provider.");
    const tokens = await this.#exchange({ grant_type: "authorization_code", code: answer.get("code"), code_verifier: flow.verifier, redirect_uri: flow.redirect });
    const claims = this.#checked(tokens.id_token);
    if (claims.nonce !== flow.nonce) throw new Error("The ID token does not belong to this sign-in (nonce). Sign in again.");
    this.#keep(tokens, claims.sub);
  }

  /** Check the claims of an ID token (OpenID Connect Core 1.0, section 3.1.3.7), which came from the token endpoint. */
  #checked(token) {
    const claims = claimsOf(token ?? "");
    if (!claims) throw new Error("The identity provider issued no ID token.");
    if (claims.iss?.replace(/\/$/, "") !== this.provider.issuer.replace(/\/$/, "")) throw new Error("The ID token is of another issuer.");
    const audience = [claims.aud].flat();
    const isOurs = audience.includes(this.provider.client_id) && (audience.length === 1 || claims.azp === this.provider.client_id);
    if (!isOurs) throw new Error("The ID token is for another application.");
    if (!(claims.exp > Date.now() / 1000 - LEEWAY_S)) throw new Error("The ID token has expired: is this machine's clock right?");
    return claims;
  }

  #keep(tokens, sub) {
    const token = this.provider.token === "id" ? tokens.id_token : tokens.access_token;
    const claims = claimsOf(token);
    const endsMs = claims?.exp ? claims.exp * 1000 : Date.now() + (tokens.expires_in ?? 300) * 1000;
    sessionStorage.setItem(TOKEN_KEY, token);
    sessionStorage.setItem(RENEWAL_KEY, JSON.stringify({ sub, sinceMs: Date.now(), endsMs, refresh: tokens.refresh_token ?? this.#renewal.refresh }));
  }

  #schedule() {
    clearTimeout(this.#timer);
    const { endsMs, sinceMs, refresh } = this.#renewal;
    if (endsMs === undefined) return;
    const dueMs = refresh ? sinceMs + (endsMs - sinceMs) * RENEW_AT : Math.max(endsMs - WARN_MS, sinceMs);
    const waitMs = Math.max(0, dueMs - Date.now());
    if (endsMs <= Date.now() && !refresh) return;
    this.#timer = setTimeout(() => {
      if (waitMs > MAX_TIMER_MS) this.#schedule();
      else if (refresh) this.#renew();
      else this.listener.ending(endsMs);
    }, Math.min(waitMs, MAX_TIMER_MS));
  }

  /** Renew the token; one request at a time. */
  #renew() {
    this.#renewing ??= this.#refresh().finally(() => { this.#renewing = undefined; });
    return this.#renewing;
  }

  async #refresh() {
    const { refresh, endsMs, sub } = this.#renewal;
    try {
      const tokens = await this.#exchange({ grant_type: "refresh_token", refresh_token: refresh });
      if (tokens.id_token && this.#checked(tokens.id_token).sub !== sub) throw new Refused("The renewed token is somebody else's.");
      this.#keep(tokens, sub);
      this.#schedule();
      this.listener.renewed();
    } catch (problem) {
      clearTimeout(this.#timer);
      if (problem instanceof Refused) {
        // It can't be renewed: the present one is good until its end.
        sessionStorage.setItem(RENEWAL_KEY, JSON.stringify({ ...this.#renewal, refresh: undefined }));
        this.listener.ending(endsMs);
      } else if (endsMs > Date.now()) this.#timer = setTimeout(() => this.#renew(), RETRY_MS);
    }
  }

  async #exchange(request) {
    const answer = await fetch("console/token", { method: "POST", body: JSON.stringify(request), headers: { "Content-Type": "application/json" } });
    const body = await answer.json();
    if (answer.ok) return body;
    const message = body.error?.message ?? `answered ${answer.status}`;
    throw answer.status === 401 || answer.status === 400 ? new Refused(message) : new Error(message);
  }
}

class Refused extends Error {}
