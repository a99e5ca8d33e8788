// What needs no gateway; the rest is tested in front of a real one (tests/integration/clients, tests/browser).

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import * as odds from "oddsengine";
import { decode, encode } from "../src/msgpack.js";
import { BACK_OFF, ConnectTimeout, SseFallback, TIMING, Waits, backoff } from "../src/recovery.js";
import { Subscriptions } from "../src/subscriptions.js";
import { SilenceWatch, watchWake } from "../src/wake.js";

test("every export has a type", async () => {
  const types = await readFile(new URL("../types/index.d.ts", import.meta.url), "utf8");
  const typed = [...types.matchAll(/^export (?:class|function) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(Object.keys(odds).sort(), typed.sort());
});

test("URLs are completed", () => {
  assert.equal(odds.streamUrl("localhost:8080"), "ws://localhost:8080/v1/stream");
  assert.equal(odds.streamUrl("https://odds.example"), "wss://odds.example/v1/stream");
  assert.equal(odds.streamUrl("wss://odds.example/below/v1/stream"), "wss://odds.example/below/v1/stream");
  assert.throws(() => odds.streamUrl("ftp://odds.example"), TypeError);
});

test("what could only fail later is refused at once, and one channel may be named alone", async (context) => {
  for (const wrong of [{ transport: "ws" }, { encoding: "messagepack" }, { getToken: "token" }]) {
    assert.throws(() => new odds.OddsClient("localhost", wrong), TypeError);
  }
  const client = new odds.OddsClient("localhost", { channels: "event:a", transport: "websocket" });
  client.subscribe("event:b");
  client.subscribe(new Set(["event:c"]));
  assert.deepEqual(client.channels, ["event:a", "event:b", "event:c"]);
  const { WebSocket: own } = globalThis;
  context.after(() => Object.assign(globalThis, { WebSocket: own }));
  delete globalThis.WebSocket;
  assert.throws(() => client.start(), TypeError);
  context.mock.method(globalThis, "fetch", () => new Promise(() => {}));
  const states = [];
  const { client: other } = odds.followOdds("localhost", { onState: (state) => states.push(state) });
  await new Promise((resolve) => setTimeout(resolve, 5));
  other.stop();
  assert.deepEqual(states, ["connecting", "live", "stopped"], "by event streams");
});

test("a getToken that never answers is asked again", async () => {
  let asked = 0;
  const problems = [];
  const client = new odds.OddsClient("localhost", {
    transport: "sse",
    timing: { tokenMs: 5, backoffMs: 1 },
    getToken: () => new Promise(() => { asked += 1; }),
    onProblem: ({ code, text }) => problems.push(`${code}: ${text}`),
  });
  client.start();
  while (asked < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  client.stop();
  assert.equal(problems[1], "token: no token: Error: getToken has not answered within 0.005 s");
});

test("what is told may use what following returned, and what it throws ends nothing", async (context) => {
  const thrown = [];
  const { setTimeout: wait } = globalThis;
  context.mock.method(globalThis, "setTimeout", (call, ms, ...rest) => wait(() => {
    try {
      call();
    } catch (error) {
      thrown.push(error.message);
    }
  }, ms, ...rest));
  context.mock.method(globalThis, "fetch", () => new Promise(() => {}));
  const states = [];
  const { client, store } = odds.followOdds("localhost", {
    transport: "sse",
    onState: (state) => {
      states.push([state, store.markets.size, client.state]);
      throw new Error(state);
    },
  });
  assert.equal(client.state, "connecting");
  while (states.length < 2) await new Promise((resolve) => wait(resolve, 5));
  store.subscribe(() => { throw new Error("one listener"); });
  store.subscribe(() => client.stop());
  store.apply({ op: "live", channel: "event:a" });
  await new Promise((resolve) => wait(resolve, 5));
  assert.deepEqual(states, [["connecting", 0, "connecting"], ["live", 0, "live"], ["stopped", 0, "stopped"]]);
  assert.deepEqual(new Set(thrown), new Set(["connecting", "live", "one listener", "stopped"]));
  const left = odds.followOdds("localhost", { transport: "sse", onState: (state) => states.push(state) });
  left.client.stop();
  await new Promise((resolve) => wait(resolve, 5));
  assert.deepEqual([left.client.state, states.slice(3)], ["stopped", ["stopped"]], "it does not connect any more");
});

test("MessagePack decodes what it encodes", () => {
  const texts = ["", "é", "x".repeat(31), "x".repeat(32), "x".repeat(70_000)];
  const numbers = [0, 127, 128, -1, -32, -33, 65_536, 2 ** 31, 2 ** 53 - 1, -(2 ** 53) + 1, 1.05, -0.25];
  const value = { texts, numbers, more: { yes: true, no: false, none: null, many: Array.from({ length: 70_000 }, (_, index) => index) } };
  assert.deepEqual(decode(encode(value)), value);
  const bytes = encode(value);
  assert.throws(() => decode(bytes.subarray(0, bytes.length - 1)), RangeError);
  assert.throws(() => decode(new Uint8Array([0xc7, 0, 0])), TypeError);
  assert.equal(Object.getPrototypeOf(decode(encode(JSON.parse('{"__proto__":{"x":1}}')))), Object.prototype);
});

test("a machine that has slept is noticed", (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "Date"] });
  const checks = [];
  const end = watchWake((why) => checks.push(why));
  for (let tick = 0; tick < 5; tick++) context.mock.timers.tick(2000);
  assert.deepEqual(checks, []);
  context.mock.timers.setTime(Date.now() + 600_000);
  context.mock.timers.tick(2000);
  assert.deepEqual(checks, ["slept"]);
  end();
});

test("after the clock was set back nothing is taken for heard lately", (context) => {
  const now = context.mock.method(Date, "now", () => 3_600_000);
  context.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const checks = [];
  const end = watchWake((why) => checks.push(why));
  const silence = new SilenceWatch(() => undefined, () => undefined);
  silence.begin(5000);
  assert.equal(silence.isLate, false);
  now.mock.mockImplementation(() => 0);
  context.mock.timers.tick(2000);
  assert.deepEqual([checks, silence.isLate], [["slept"], true]);
  silence.end();
  end();
});

const subscriptions = () => new Subscriptions({ ...TIMING, draw: () => 1 });

test("after a loss the limit stays below a second for ten seconds before it grows on", () => {
  const limits = (count, long) => Array.from({ length: count }, (_, failures) => backoff({ ...TIMING, draw: () => 1 }, failures, long));
  assert.deepEqual(limits(33, false), [100, 200, 400, ...Array(26).fill(800), 1600, 3200, 5000, 5000]);
  assert.deepEqual(limits(6, true), [1000, 2000, 4000, 8000, 16_000, 30_000]);
});

test("a swallowed handshake is given up soon, and later each time; a slow network is granted what it takes", () => {
  const limits = (timeout, count) => Array.from({ length: count }, () => {
    const limitMs = Math.round(timeout.begin(0));
    timeout.timedOut();
    return limitMs;
  });
  assert.deepEqual(limits(new ConnectTimeout(TIMING), 5), [3000, 4500, 6750, 10_000, 10_000]);
  const after = (...tookMs) => {
    const timeout = new ConnectTimeout(TIMING);
    for (const ms of tookMs) {
      timeout.begin(0);
      timeout.noteWelcome(ms);
    }
    assert.equal(timeout.limitMs, Math.max(3000, 4 * Math.min(...tookMs.slice(-3))), "it was closed: the gateway may be busy");
    timeout.noteSilence();
    return timeout;
  };
  assert.deepEqual(limits(after(30), 7), [1000, 1500, 2250, 3375, 5063, 7594, 10_000]);
  assert.deepEqual(limits(after(20, 1200, 900, 1500), 1), [3600]);
  const known = after(30);
  assert.deepEqual([known.timedOut(), known.isDoubtful, known.timedOut(), known.isDoubtful], [false, false, false, true]);
});

test("a connection that has served for a while is soon replaced", () => {
  const waits = new Waits({ ...TIMING, draw: () => 1 });
  const after = (lastedMs) => {
    waits.ended(lastedMs);
    return waits.next(BACK_OFF, undefined, false);
  };
  assert.deepEqual(Array.from({ length: 30 }, () => after(undefined)).slice(-2), [800, 1600]);
  assert.deepEqual([after(500), after(2000), after(undefined), after(10_000)], [3200, 100, 200, 100]);
});

test("after the network has changed, a connection is tried as soon as after the first failure", () => {
  const waits = new Waits({ ...TIMING, draw: () => 1 });
  const limits = (count) => Array.from({ length: count }, () => waits.next(BACK_OFF, undefined, false));
  assert.equal(limits(40).at(-1), 5000);
  waits.renew();
  assert.deepEqual(limits(3), [100, 200, 400]);
});

test("event streams take the place of sockets after two in a row that were blocked", () => {
  const fallback = new SseFallback();
  fallback.noteBlocked();
  fallback.notePassed();
  fallback.noteBlocked();
  assert.equal(fallback.isActive, false);
  fallback.noteBlocked();
  assert.equal(fallback.isActive, true);
});

test("channels with other options are asked for apart", () => {
  const asked = subscriptions();
  asked.add("event:a", {});
  asked.add("event:b", { format: "american" });
  asked.add("event:c", {});
  assert.deepEqual(asked.due(0).map(({ channels, format }) => [channels, format]), [[["event:a", "event:c"], undefined], [["event:b"], "american"]]);
});

test("what arrives of a channel that was left is not wanted, also once it is followed again", () => {
  const asked = subscriptions();
  asked.add("event:a", {});
  asked.due(0);
  assert.deepEqual(asked.remove(["event:a", "event:none"]), ["event:a"]);
  asked.add("event:a", {});
  const delta = { op: "delta", channel: "event:a", at: "1" };
  assert.equal(asked.wants(delta), false);
  asked.receive({ op: "unsubscribed", channels: ["event:a"] }, 0);
  assert.equal(asked.wants(delta), true);
  assert.equal(asked.due(0)[0].resume, undefined);
});

test("a heartbeat of one of several event streams is the position of its channels only", () => {
  const asked = subscriptions();
  for (const channel of ["event:a", "event:b"]) {
    asked.add(channel, {});
    asked.receive({ op: "snapshot", channel, at: "1", last: true }, 0);
  }
  asked.receive({ op: "heartbeat", at: "2", channels: ["event:a"] }, 0);
  assert.deepEqual([...asked.at], [["event:a", "2"], ["event:b", "1"]]);
});

test("a store shows each channel by itself", () => {
  const store = new odds.OddsStore();
  const market = (price) => ({ id: "e1/m", event: "e1", status: "open", selections: { home: { price } } });
  const snapshot = (channel, price) => ({ op: "snapshot", channel, at: "1", part: 1, last: true, events: [], markets: [market(price)] });
  store.apply(snapshot("event:e1", 2));
  store.apply(snapshot("market:e1/m", "1/1"));
  assert.equal(store.channel("event:e1").markets[0].selections.home.price, 2);
  assert.equal(store.channel("market:e1/m").markets[0].selections.home.price, "1/1");
  const before = store.versionOf("event:e1");
  store.apply({ op: "stale", channel: "market:e1/m", since: 5 });
  assert.equal(store.versionOf("event:e1"), before);
  assert.equal(store.channel("market:e1/m").staleSince, 5);
});

test("a channel is left at the gateway if that was asked for it, whatever is about to be asked", () => {
  const followed = new Subscriptions(TIMING);
  followed.add("event:e1", {});
  followed.begin();
  const [request] = followed.due(0);
  followed.receive({ op: "subscribed", id: request.id, channels: ["event:e1"], resumed: false }, 0);
  followed.add("event:e1", { format: "american" });
  assert.deepEqual(followed.remove(["event:e1"]), ["event:e1"]);
  followed.add("event:e1", {});
  assert.equal(followed.wants({ channel: "event:e1" }), false);
  followed.receive({ op: "unsubscribed", channels: ["event:e1"] }, 0);
  const [again] = followed.due(0);
  followed.receive({ op: "error", id: again.id, code: "unknown_channel", message: "no", channels: ["event:e1"] }, 0);
  assert.deepEqual(followed.remove(["event:e1"]), [], "it was refused");
});
