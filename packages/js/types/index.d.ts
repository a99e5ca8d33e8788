export type Price = number | string | null;
export type MarketStatus = "open" | "suspended" | "closed";
export type OddsFormat = "decimal" | "fractional" | "american" | "hong_kong" | "malay" | "indonesian" | "percent";

export interface OddsEvent {
  id: string;
  sport: string;
  competition: { id: string; name: string };
  name: string;
  participants: string[];
  start: string | null;
  in_play: boolean;
  score: string | null;
  clock: string | null;
}

export interface Selection {
  name: string;
  /** In the format that was asked for; null if there is no price to bet on. */
  price: Price;
  status: "active" | "suspended" | "removed" | "winner" | "loser" | "void" | "placed";
  order?: number;
  result?: string | null;
  void_factor?: number | null;
  dead_heat_factor?: number | null;
}

export interface Market {
  id: string;
  event: string;
  type: string;
  name: string;
  period: string | null;
  line: number | null;
  unit: string | null;
  winners: number;
  status: MarketStatus;
  reason: string | null;
  in_play: boolean;
  /** The version, to be sent with a price check. */
  v: number;
  selections: Record<string, Selection>;
  group: string;
  order: number;
  main_line?: boolean;
  limit?: number | null;
  bet_delay_s?: number | null;
}

/** A message of the protocol (docs/protocol.md), or what the client itself knows in the same form. */
export type Message = { op: string; [field: string]: unknown };

export type State = "stopped" | "connecting" | "live" | "reconnecting" | "refused" | "failed";

/** What keeps the client from current data. */
export interface Problem {
  /** A row of the table in docs/protocol.md. */
  code: string;
  text: string;
  /** When the client tries again; undefined if it has given up, or waits for another token. */
  retryMs?: number;
  /** The channels concerned; empty if it is the connection. */
  channels: string[];
}

export interface SubscribeOptions {
  format?: OddsFormat;
  /** The shortest time between two updates of a channel. Suspensions come at once. */
  minIntervalMs?: number;
}

export interface ClientOptions extends SubscribeOptions {
  /** One, or several. */
  channels?: string | Iterable<string>;
  /** Returns the token: called for each connection, before a token expires, and after one was refused. */
  getToken?: () => string | undefined | Promise<string | undefined>;
  /** This and the others are not called before `start` has returned. What they throw is reported as uncaught, and ends nothing. */
  onMessage?: (message: Message) => void;
  /** `refused`: another token is needed, `start` again. `failed`: the client has given up. */
  onState?: (state: State, detail?: string) => void;
  onProblem?: (problem: Problem) => void;
  /** `auto`: WebSockets, and event streams where there are none, or for ten minutes where something on the way blocks these. */
  transport?: "auto" | "websocket" | "sse";
  /** Of WebSockets. */
  encoding?: "json" | "msgpack";
  /** Replaces waits of the client; see recovery.js. */
  timing?: Partial<Record<string, unknown>>;
  /** Calls back after the wait before a reconnect, and returns what `clearTimeout` takes. */
  sleep?: (ms: number, wake: () => void) => unknown;
}

/** A price that was shown to a bettor. */
export interface Quote {
  market: string;
  selection: string;
  /** As it was shown: text for fractional, a number otherwise. */
  price: number | string;
  v?: number;
  /** Decimal if left out. */
  format?: OddsFormat;
  /** Which current price the bettor accepts: `exact` if left out. */
  accept?: "exact" | "better" | "any";
  /** Which share of the quoted odds the current ones may be shorter. */
  tolerance?: number;
}

/** A quote that was signed. */
export interface SignedQuote {
  signed: string;
  accept?: "exact" | "better" | "any";
  tolerance?: number;
}

export interface QuoteChecked {
  market: string;
  selection: string;
  result: "ok" | "price_changed" | "suspended" | "closed" | "unknown" | "stale" | "expired" | "invalid";
  /** In the format of the quote. */
  price: number | string | null;
  v: number | null;
  was_on_offer: { v: number; from_ms: number; until_ms: number | null } | null;
  limit?: number;
  accept_after_ms?: number;
  /** The current price as a signed quote, if that was asked for. */
  signed?: string;
}

/** Of all quotes of a price check that say nothing else. */
export interface CheckOptions {
  accept?: "exact" | "better" | "any";
  tolerance?: number;
  format?: OddsFormat;
  /** Whether the answers have the current prices as signed quotes. */
  sign?: boolean;
}

/** A request that was refused, or not answered (`status` 0). */
export class RequestRefused extends Error {
  readonly status: number;
  readonly code?: string;
  readonly retryAfter?: string | null;
}

export class OddsClient {
  /** @param url of the gateway or its stream: `https://odds.example`, `wss://odds.example/v1/stream`, `localhost:8080` */
  constructor(url: string, options?: ClientOptions);
  readonly url: string;
  readonly state: State;
  readonly stopped: boolean;
  /** How often a connection has ended or could not be made. */
  readonly reconnects: number;
  /** The channels that the client follows. */
  readonly channels: string[];
  /** channel -> why the gateway refuses it; it is asked for again as the table in docs/protocol.md says. */
  readonly refused: Map<string, string>;
  /** Connect. Throws TypeError if only WebSockets are to be used and there are none. */
  start(): void;
  stop(): void;
  /** Follow channels. With other options than before, a channel starts again with a snapshot. */
  subscribe(channels: string | Iterable<string>, options?: SubscribeOptions): void;
  unsubscribe(channels: string | Iterable<string>): void;
  /** Measure the round trip to the gateway, over WebSockets. */
  ping(done: (ms: number) => void): void;
  /** Check prices before a bet is placed (role `service`). Rejects with RequestRefused. */
  checkQuotes(quotes: (Quote | SignedQuote)[], options?: CheckOptions): Promise<QuoteChecked[]>;
  /** Get a ticket, which opens one stream as `?ticket=` of its URL. Rejects with RequestRefused. */
  fetchTicket(): Promise<{ ticket: string; expires: string }>;
}

/** What one channel shows. */
export interface ChannelState {
  events: OddsEvent[];
  markets: Market[];
  /** Whether anything of it has arrived. */
  isLoaded: boolean;
  /** Since when it may be out of date, Unix milliseconds; undefined while it is current. */
  staleSince: number | undefined;
}

export interface Changed {
  all: boolean;
  /** Ids of events that have changed, or whose markets have. */
  events: Set<string>;
  moves: { market: string; selection: string; up: boolean }[];
  changes: number;
}

export class OddsStore {
  /** What any channel shows; of what several show, what was received last. */
  readonly events: Map<string, OddsEvent>;
  readonly markets: Map<string, Market>;
  /** The channels that may be out of date, and since when (Unix milliseconds). */
  readonly stale: Map<string, number>;
  isStale(id: string, stale?: Map<string, number>): boolean;
  channel(name: string): ChannelState;
  /** What differs from before once a channel has changed. */
  versionOf(name: string): string;
  /** Call a function after each message that has changed anything. Returns what ends that. */
  subscribe(listener: (changed: Changed) => void): () => void;
  apply(message: Message): Changed;
}

/** Complete the URL of a gateway to that of its stream. */
export function streamUrl(url: string): string;

/** Follow channels into a store, at once. */
export function followOdds(url: string, options?: ClientOptions): { client: OddsClient; store: OddsStore };
