// What markets, selections and times are called on the live page and in the console.

const TYPE_NAMES = {
  match_odds: "Match odds", moneyline: "Moneyline", total: "Total", handicap: "Handicap",
  asian_handicap: "Asian handicap", both_to_score: "Both to score", correct_score: "Correct score",
  winner: "Winner", place: "Place", other: "Other",
};
const PERIOD_NAMES = { h1: "first half", h2: "second half" };

export const title = (key) => key.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());

export function marketName(market) {
  if (!TYPE_NAMES[market.type]) return market.name;
  const parts = [TYPE_NAMES[market.type]];
  if (market.line != null) parts.push(String(market.line));
  if (market.unit) parts.push(market.unit.replaceAll("_", " "));
  if (PERIOD_NAMES[market.period]) parts.push(PERIOD_NAMES[market.period]);
  return parts.join(" ");
}

export function selectionName(key, selection) {
  const [, handicap] = key.split("@");
  if (handicap === undefined) return selection.name;
  return `${selection.name} ${Number(handicap) > 0 ? "+" : ""}${handicap}`;
}

/** The keys of a market's selections in the order in which they are shown: those that are numbers are not in the order sent. */
export const selectionKeys = (market) =>
  Object.keys(market.selections).sort((a, b) => market.selections[a].order - market.selections[b].order);

export function startText(start) {
  return start ? new Date(start).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : "";
}
