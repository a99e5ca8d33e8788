// A client of an odds engine's stream, the state that it builds, and what belongs to both. It needs nothing else.

import { OddsClient } from "./client.js";
import { OddsStore } from "./store.js";

export { OddsClient, streamUrl } from "./client.js";
export { RequestRefused } from "./http.js";
export { OddsStore } from "./store.js";

/** Follow channels into a store. Returns both; `client.stop()` ends it. Options: those of OddsClient. */
export function followOdds(url, options = {}) {
  const store = new OddsStore();
  const onMessage = (message) => {
    store.apply(message);
    options.onMessage?.(message);
  };
  const client = new OddsClient(url, { ...options, onMessage });
  client.start();
  return { client, store };
}
