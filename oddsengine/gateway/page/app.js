// The live page: subscribes to every sport on offer and shows its events.

import { OddsClient } from "./client.js";
import { OddsStore } from "./store.js";
import { OddsView } from "./view.js";

const PING_MS = 2000;
const SPORTS_MS = 30_000;
const STATE_TEXT = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", stale: "Prices may be out of date" };

const byId = (id) => document.getElementById(id);
const store = new OddsStore();
const view = new OddsView(byId("events"), byId("filters"), byId("empty"));

let redrawAll = true;
const redraw = new Set();
let moves = [];
let changes = 0;
let frame = 0;

function draw() {
  frame = 0;
  if (redrawAll) {
    view.all(store);
  } else if (redraw.size) {
    const markets = new Map([...redraw].map((id) => [id, []]));
    for (const market of store.markets.values()) markets.get(market.event)?.push(market);
    for (const id of redraw) {
      const event = store.events.get(id);
      if (event && view.cards.has(id)) view.event(event, markets.get(id));
    }
  }
  view.flash(moves);
  redrawAll = false;
  redraw.clear();
  moves = [];
  byId("open-markets").textContent = [...store.markets.values()].filter((market) => market.status === "open").length;
}

function schedule() {
  // A hidden page gets no animation frames; it is drawn when it is looked at again.
  frame ||= requestAnimationFrame(draw);
}

function showState(state, detail) {
  byId("connection").dataset.state = state;
  byId("connection-text").textContent = detail ? `${STATE_TEXT[state]} (${detail})` : STATE_TEXT[state];
  document.body.dataset.connection = state;
}

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const client = new OddsClient(`${scheme}//${location.host}/v1/stream`, [], {
  message(message) {
    if (message.op === "stale") return showState("stale");
    if (message.op === "live") return showState("live");
    const changed = store.apply(message);
    redrawAll ||= changed.all;
    for (const id of changed.events) redraw.add(id);
    moves.push(...changed.moves);
    changes += changed.changes;
    schedule();
  },
  state: showState,
});

byId("filters").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  view.filter = button.dataset.filter;
  redrawAll = true;
  schedule();
});

setInterval(() => {
  byId("rate").textContent = Math.round((changes * 1000) / PING_MS);
  changes = 0;
  client.ping((ms) => { byId("latency").textContent = `${ms.toFixed(ms < 10 ? 1 : 0)} ms`; });
}, PING_MS);

/** Subscribe to every sport on offer; new ones turn up as their first event does. */
async function findSports() {
  try {
    const { events } = await (await fetch("/v1/events")).json();
    for (const sport of new Set(events.map((event) => event.sport))) client.add(`sport:${sport}`);
  } catch {
    // the stream shows the state of the connection; this is tried again
  }
  setTimeout(findSports, client.channels.length ? SPORTS_MS : SPORTS_MS / 30);
}

client.start();
findSports();
