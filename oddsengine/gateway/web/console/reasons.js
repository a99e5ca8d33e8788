// Why markets are suspended: whose doing it is, and in words. The reasons are those of docs/protocol.md.

const OF_SOURCES = new Set(["provider", "withdrawn", "source_down", "source_lagging", "source_stale"]);

const TEXTS = {
  trader: "a person has suspended it",
  provider: "its provider has suspended it",
  withdrawn: "no source offers it any more",
  source_down: "its source is down",
  source_lagging: "its source lags behind",
  source_stale: "its source is silent",
  recovering: "a new engine has not seen it confirmed yet",
  engine_stopped: "its engine was stopped",
  no_price: "there is no price to publish",
  incoherent: "its prices contradict each other",
  incomplete: "an outcome is missing that it must have",
  decided: "as many selections have won as can",
  method: "the margin method does not hold for it",
  source_old: "its source has not updated it for too long",
  over_lay: "another exchange lays a selection at less",
  spike: "a jump that nothing has confirmed",
  contradiction: "it contradicts another line",
  arbitrage: "it could be backed without risk",
  book_sum: "the ladder has no prices close enough to the margin",
  rule: "a rule suspends it",
  too_few_sources: "fewer healthy sources than its consensus needs",
  in_play_elsewhere: "another source shows that it has begun",
  closed_elsewhere: "another source has closed it",
  counts_otherwise: "its source counts other goals",
  stale: "the gateway has received nothing from the engine",
  not_priceable: "it can't be priced",
};

/** Whose doing it is that a market is suspended: `trader`, `source` or `guard`; undefined if it is not. */
export function causeOf(market) {
  if (market.status !== "suspended") return undefined;
  if (market.reason === "trader") return "trader";
  return OF_SOURCES.has(market.reason) ? "source" : "guard";
}

export const reasonText = (reason) => TEXTS[reason] ?? (reason ?? "").replaceAll("_", " ");
