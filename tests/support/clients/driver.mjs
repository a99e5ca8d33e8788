// Runs clients and stores of the gateway's page in Node, as lines of JSON on standard input ask for, and answers each with a line.
// The argument is the folder of the page's modules.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const load = (name) => import(pathToFileURL(`${process.argv[2]}/${name}`).href);
const { OddsClient } = await load("client.js");
const { OddsStore } = await load("store.js");
const { TABLE } = await load("recovery.js");

const MAX_WAIT_MS = 20;
const clients = new Map();

const contents = (store) => ({
  events: Object.fromEntries(store.events),
  markets: Object.fromEntries(store.markets),
  stale: Object.fromEntries(store.stale),
});

function start({ client: id, url, channels, tokens, timing }) {
  const seen = { states: [], problems: [], waits_s: [], tokens_asked: 0, gave_up: null };
  const store = new OddsStore();
  const listener = {
    message: (message) => store.apply(message),
    state: (state, detail) => {
      seen.states.push(state);
      if (state === "refused" || state === "failed") seen.gave_up = detail ?? "";
    },
    problem: (problem) => seen.problems.push([problem.code, problem.retryMs === undefined ? null : problem.retryMs / 1000]),
  };
  const token = tokens && (async () => {
    const given = tokens[Math.min(seen.tokens_asked++, tokens.length - 1)];
    if (given === "raise") throw new Error("no token today");
    return given;
  });
  const sleep = (ms, wake) => {
    seen.waits_s.push(ms / 1000);
    return setTimeout(wake, Math.min(ms, MAX_WAIT_MS));
  };
  const client = new OddsClient(url, channels, listener, token ?? undefined, { sleep, timing: { ...timing, draw: () => 1 } });
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
  table: () => TABLE,
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, command, ...rest } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify({ id, answer: commands[command](rest) })}\n`);
});
