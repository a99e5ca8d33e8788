// Examples of the documents as they can be tried here: about an event that is on offer instead of the documents' own.

const EVENT = "betfair.29283412";
const MARKET = `${EVENT}/match_odds`;
/** So many events are looked at for a market like that of the examples. */
const MAX_EVENTS = 5;
/** Where the live page and the console keep the token of this tab. */
export const TOKEN = "oddsengine.token";

async function ask(path) {
  const token = sessionStorage.getItem(TOKEN);
  const response = await fetch(path, { headers: token ? { Authorization: `Bearer ${token}` } : {} });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/** Find an event on offer, of those that start last and stay longest, and a market of it: of the type of the examples if any has it. */
async function find(root) {
  const { events } = await ask(`${root}v1/events`);
  let found;
  const lastFirst = [...events].sort((a, b) => (b.start ?? "").localeCompare(a.start ?? ""));
  for (const { id } of lastFirst.slice(0, MAX_EVENTS)) {
    const { markets } = await ask(`${root}v1/events/${encodeURIComponent(id)}`);
    const market = markets.find((each) => each.id === `${id}/match_odds`);
    if (market) return { event: id, market: market.id };
    if (markets.length) found ??= { event: id, market: markets[0].id };
  }
  return found;
}

/**
 * Return a document whose examples are about what is on offer; as it is where nothing is, or a token is needed.
 * @param root the URL of the gateway, with a slash at its end
 */
export async function withLiveExamples(document, root) {
  try {
    const found = await find(root);
    if (!found) return document;
    const quoted = (text) => JSON.stringify(text).slice(1, -1);
    return JSON.parse(JSON.stringify(document).replaceAll(MARKET, quoted(found.market)).replaceAll(EVENT, quoted(found.event)));
  } catch {
    return document;
  }
}
