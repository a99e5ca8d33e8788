// Runs clients and stores of the npm package in Node, as lines of JSON on standard input ask for, and answers each with a line.
// The argument is the folder of its modules.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const load = (name) => import(pathToFileURL(`${process.argv[2]}/${name}`).href);
const { OddsClient, OddsStore } = await load("index.js");
const { TABLE } = await load("recovery.js");

const MAX_WAIT_MS = 20;
const clients = new Map();

const contents = (store) => ({
  events: Object.fromEntries(store.events),
  markets: Object.fromEntries(store.markets),
  stale: Object.fromEntries(store.stale),
});

function start({ client: id, url, channels, tokens, timing, more }) {
  const seen = { states: [], problems: [], waits_s: [], tokens_asked: 0, gave_up: null };
  const store = new OddsStore();
  const options = {
    channels,
    onMessage: (message) => store.apply(message),
    onState: (state, detail) => {
      seen.states.push(state);
      if (state === "refused" || state === "failed") seen.gave_up = detail ?? "";
    },
    onProblem: (problem) => seen.problems.push([problem.code, problem.retryMs === undefined ? null : problem.retryMs / 1000]),
  };
  const getToken = tokens && (async () => {
    const given = tokens[Math.min(seen.tokens_asked++, tokens.length - 1)];
    if (given === "raise") throw new Error("no token today");
    return given;
  });
  const sleep = (ms, wake) => {
    seen.waits_s.push(ms / 1000);
    return setTimeout(wake, Math.min(ms, MAX_WAIT_MS));
  };
  const client = new OddsClient(url, { ...options, ...more, getToken: getToken ?? undefined, sleep, timing: { ...timing, draw: () => 1 } });
  clients.set(id, { client, store, seen });
  client.start();
  return {};
}

function view({ client: id }) {
  const { client, store, seen } = clients.get(id);
  const connected = seen.states.at(-1) === "live";
  return { ...seen, ...contents(store), connected, reconnects: client.reconnects, refused: Object.fromEntries(client.refused) };
}

const commands = {
  start,
  view,
  stop: ({ client: id }) => {
    clients.get(id).client.stop();
    clients.delete(id);
    return {};
  },
  /** The contents of a store after each of some messages. */
  apply: ({ messages }) => {
    const store = new OddsStore();
    return messages.map((message) => {
      store.apply(message);
      return contents(store);
    });
  },
  subscribe: ({ client: id, channels, options }) => clients.get(id).client.subscribe(channels, options) ?? {},
  unsubscribe: ({ client: id, channels }) => clients.get(id).client.unsubscribe(channels) ?? {},
  quotes: ({ client: id, quotes }) => clients.get(id).client.checkQuotes(quotes),
  table: () => TABLE,
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, command, ...rest } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify({ id, answer: await commands[command](rest) })}\n`);
});
