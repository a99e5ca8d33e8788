// The live page: subscribes to every sport on offer and draws its events.

import { OddsClient } from "./client.js";
import { setText } from "./dom.js";
import { OddsStore } from "./store.js";
import { OddsView } from "./view.js";

const PING_MS = 2000;
const SPORTS_REFRESH_MS = 30_000;
const FIRST_SPORTS_RETRY_MS = 1000;
const STATE_TEXT = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  stale: "Prices may be out of date",
  refused: "A token is required",
  failed: "Refused",
  stopped: "Stopped",
};
const TITLE = document.title;
const TOKEN_KEY = "oddsengine.token";

const byId = (id) => document.getElementById(id);
const store = new OddsStore();
const view = new OddsView(byId("events"), byId("filters"), byId("empty"));

let redrawAll = true;
const redraw = new Set();
let moves = [];
let changes = 0;
let frame = 0;
let connection = "connecting";
let wasLive = false;

function draw() {
  frame = 0;
  if (redrawAll) {
    view.drawAll(store);
  } else if (redraw.size) {
    const stale = store.stale;
    const markets = new Map([...redraw].map((id) => [id, []]));
    for (const market of store.markets.values()) markets.get(market.event)?.push(market);
    for (const id of redraw) {
      const event = store.events.get(id);
      if (event && view.cards.has(id)) view.drawEvent(event, markets.get(id), store.isStale(id, stale));
    }
  }
  view.flash(moves);
  redrawAll = false;
  redraw.clear();
  moves = [];
  byId("open-markets").textContent = openMarkets();
  showWarning();
}

function openMarkets() {
  const stale = store.stale;
  return [...store.markets.values()].filter((market) => market.status === "open" && !store.isStale(market.id, stale)).length;
}

function scheduleDraw() {
  // A hidden page gets no animation frames; it is drawn once it is visible.
  frame ||= requestAnimationFrame(draw);
}

/** Show across the page that what it shows may be out of date, and since when. */
function showWarning() {
  const stale = store.stale;
  const warning = byId("warning");
  const text = wasLive ? warningText(stale) : "";
  setText(warning, text);
  warning.hidden = !text;
  const heading = text ? `⚠ ${TITLE}` : TITLE;
  if (document.title !== heading) document.title = heading;
}

function warningText(stale) {
  const since = stale.size ? ` since ${new Date(Math.min(...stale.values())).toLocaleTimeString()}` : "";
  if (connection === "failed") return "The gateway refuses this page. No price below is current.";
  if (connection !== "live") return `No connection${since}. No price below is current.`;
  if (!stale.size) return "";
  const late = [...store.events.keys()].filter((id) => store.isStale(id, stale)).length;
  const subject = late === store.events.size ? "All prices" : `The prices of ${late} of ${store.events.size} events`;
  return `${subject} may be out of date: nothing has arrived of them${since}.`;
}

function showState(state, detail) {
  connection = state;
  wasLive ||= state === "live";
  if (state === "live" && store.stale.size) state = "stale";
  if (state === "connecting" && wasLive) state = "reconnecting";
  byId("connection").dataset.state = state;
  byId("connection-text").textContent = detail ? `${STATE_TEXT[state]} (${detail})` : STATE_TEXT[state];
  document.body.dataset.connection = state;
  showWarning();
}

// A token may be passed in the fragment, which browsers never send, and is kept for this tab only.
const linkToken = new URLSearchParams(location.hash.slice(1)).get("token");
if (linkToken) {
  sessionStorage.setItem(TOKEN_KEY, linkToken);
  history.replaceState(null, "", location.pathname + location.search);
}
const token = () => sessionStorage.getItem(TOKEN_KEY) ?? undefined;

function showLogin() {
  byId("login").hidden = false;
  byId("empty").hidden = true;
  byId("token").focus();
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN_KEY, byId("token").value.trim());
  byId("login").hidden = true;
  client.start();
  findSports();
});

const streamUrl = new URL("v1/stream", location.href);
streamUrl.protocol = location.protocol === "https:" ? "wss:" : "ws:";
streamUrl.search = streamUrl.hash = "";
const client = new OddsClient(streamUrl.href, {
  getToken: token,
  onMessage(message) {
    const changed = store.apply(message);
    if (connection === "live") showState("live");
    redrawAll ||= changed.all;
    for (const id of changed.events) redraw.add(id);
    moves.push(...changed.moves);
    changes += changed.changes;
    scheduleDraw();
  },
  onState(state, detail) {
    showState(state, detail);
    if (state === "refused") showLogin();
  },
});

byId("filters").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  view.filter = button.dataset.filter;
  redrawAll = true;
  scheduleDraw();
});

setInterval(() => {
  byId("rate").textContent = Math.round((changes * 1000) / PING_MS);
  changes = 0;
  client.ping((ms) => { byId("latency").textContent = `${ms.toFixed(ms < 10 ? 1 : 0)} ms`; });
}, PING_MS);

/** Subscribe to every sport on offer, and repeat: a new sport appears with its first event. */
async function findSports() {
  let retryMs = 0;
  try {
    const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
    const answer = await fetch("v1/events", { headers });
    if (answer.status === 401) return showLogin();
    retryMs = 1000 * Number(answer.headers.get("Retry-After"));
    const { events } = await answer.json();
    for (const sport of new Set(events.map((event) => event.sport))) client.subscribe(`sport:${sport}`);
  } catch {
    // retried below; the page shows the state of the connection
  }
  setTimeout(findSports, retryMs || (client.channels.length ? SPORTS_REFRESH_MS : FIRST_SPORTS_RETRY_MS));
}

client.start();
findSports();
