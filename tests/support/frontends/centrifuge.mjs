// An application of Centrifugo's SDK: does what lines of JSON on standard input say, and writes what it sees as lines of JSON.
// The argument is the URL. Tokens are asked for, so that their short lives begin when they are used.

import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const { Centrifuge } = createRequire(`${process.cwd()}/`)("centrifuge");
const [url] = process.argv.slice(2);
const say = (what, fields) => process.stdout.write(`${JSON.stringify({ what, ...fields })}\n`);

let given;
const getToken = () => {
  say("token", {});
  return new Promise((resolve) => {
    given = resolve;
  });
};

const centrifuge = new Centrifuge(url, { websocket: WebSocket, getToken, minReconnectDelay: 10, maxReconnectDelay: 50 });
for (const state of ["connected", "connecting", "disconnected"]) centrifuge.on(state, ({ code, reason }) => say(state, { code, reason }));
centrifuge.on("error", ({ error }) => say("error", { code: error.code }));

const commands = {
  token: ({ token }) => given(token),
  subscribe({ channel, data }) {
    const subscription = centrifuge.newSubscription(channel, { data, minResubscribeDelay: 10, maxResubscribeDelay: 50 });
    subscription.on("subscribed", ({ recovered, wasRecovering }) => say("subscribed", { channel, recovered, wasRecovering }));
    subscription.on("unsubscribed", ({ code, reason }) => say("unsubscribed", { channel, code, reason }));
    subscription.on("publication", (publication) => say("publication", { channel, data: publication.data }));
    subscription.on("error", ({ error }) => say("refused", { channel, code: error.code }));
    subscription.subscribe();
  },
  unsubscribe: ({ channel }) => centrifuge.getSubscription(channel).unsubscribe(),
};
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { command, ...rest } = JSON.parse(line);
    commands[command](rest);
  })
  .on("close", () => process.exit());
centrifuge.connect();
