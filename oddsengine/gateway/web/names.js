// What markets, selections and times are called on the live page and in the console.

const TYPE_NAMES = {
  match_odds: "Match odds", moneyline: "Moneyline", total: "Total", handicap: "Handicap",
  asian_handicap: "Asian handicap", both_to_score: "Both to score", correct_score: "Correct score",
  winner: "Winner", place: "Place", other: "Other",
};
const PERIOD_NAMES = { h1: "first half", h2: "second half" };
// Types whose line is the head start of the home side; the away side has the opposite.
const HEAD_STARTS = new Set(["asian_handicap", "handicap"]);

export const title = (key) => key.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());

const signed = (line) => `${line > 0 ? "+" : ""}${line}`;

/** The line of a market as it is shown: of a handicap with its sign. */
export const lineText = ({ type, line }) => (line == null ? "" : HEAD_STARTS.has(type) ? signed(line) : String(line));

/** @param {boolean} withSides whether the line of a handicap is left out, because its sides are shown with theirs */
export function marketName(market, { withSides = false } = {}) {
  if (!TYPE_NAMES[market.type]) return market.name;
  const parts = [TYPE_NAMES[market.type]];
  if (market.line != null && !(withSides && HEAD_STARTS.has(market.type))) parts.push(lineText(market));
  if (market.unit) parts.push(market.unit.replaceAll("_", " "));
  if (PERIOD_NAMES[market.period]) parts.push(PERIOD_NAMES[market.period]);
  return parts.join(" ");
}

/** The line of a selection, if it has one of its own: a side's of a handicap, with its sign. */
export function sideLine(market, key) {
  const [, handicap] = key.split("@");
  if (handicap !== undefined) return signed(Number(handicap));
  if (market.line == null || !HEAD_STARTS.has(market.type)) return "";
  return signed(key === "away" ? 0 - market.line : market.line);
}

export function selectionName(key, selection) {
  const [, handicap] = key.split("@");
  if (handicap === undefined) return selection.name;
  return `${selection.name} ${signed(Number(handicap))}`;
}

/** The keys of a market's selections in the order in which they are shown: those that are numbers are not in the order sent. */
export const selectionKeys = (market) =>
  Object.keys(market.selections).sort((a, b) => market.selections[a].order - market.selections[b].order);

export function startText(start) {
  return start ? new Date(start).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : "";
}
