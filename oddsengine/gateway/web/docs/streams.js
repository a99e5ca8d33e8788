// The box to try a stream: a WebSocket to this gateway, with the examples of the page as messages.

import { TOKEN, withLiveExamples } from "./live_examples.js";

/** Older lines are removed. */
const MAX_LINES = 200;
const MAX_CHARACTERS = 4000;

const element = (id) => document.getElementById(id);
const [address, token, toggle, state, example, message, submit, log] = [
  "address", "token", "toggle", "state", "example", "message", "submit", "log",
].map(element);

let socket = null;

function show(kind, text) {
  const line = document.createElement("li");
  line.className = kind;
  line.textContent = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)} .. (${text.length} characters)` : text;
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(line);
  while (log.childElementCount > MAX_LINES) log.firstElementChild.remove();
  if (follows) log.scrollTop = log.scrollHeight;
}

function setState(text, isOpen) {
  state.textContent = text;
  toggle.textContent = socket === null ? "Connect" : "Disconnect";
  submit.disabled = !isOpen;
}

function send(text) {
  socket.send(text);
  show("sent", `-> ${text}`);
}

function connect() {
  try {
    socket = new WebSocket(address.value);
  } catch (error) {
    show("problem", String(error));
    return;
  }
  const own = socket;
  setState("connecting", false);
  own.addEventListener("open", () => {
    setState("connected", true);
    if (token.value) {
      own.send(JSON.stringify({ op: "auth", id: 0, token: token.value }));
      show("sent", '-> {"op":"auth","id":0,"token":".."}');
    }
  });
  own.addEventListener("message", ({ data }) => show("received", `<- ${data}`));
  own.addEventListener("close", ({ code, reason }) => {
    show("problem", `closed with ${code}${reason ? `: ${reason}` : ""}`);
    if (socket !== own) return;
    socket = null;
    setState("not connected", false);
  });
}

element("connect").addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket === null) connect();
  else socket.close();
});

element("send").addEventListener("submit", (event) => {
  event.preventDefault();
  try {
    send(JSON.stringify(JSON.parse(message.value)));
  } catch (error) {
    show("problem", `not JSON: ${error.message}`);
  }
});

element("clear").addEventListener("click", () => log.replaceChildren());
example.addEventListener("change", () => { message.value = example.value; });

async function begin() {
  const url = new URL("../v1/stream", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  address.value = url.href;
  token.value = sessionStorage.getItem(TOKEN) ?? "";
  const documented = await (await fetch(new URL("asyncapi.json", document.baseURI))).json();
  const described = await withLiveExamples(documented, new URL("../", document.baseURI).href);
  const { channels, components, operations } = described;
  const sent = Object.values(operations).filter((each) => each.action === "receive" && each.channel.$ref === "#/channels/stream");
  const messages = sent.flatMap((each) => each.messages.map(({ $ref }) => channels.stream.messages[$ref.split("/").pop()].$ref));
  for (const name of messages.map((reference) => reference.split("/").pop())) {
    for (const { payload } of components.messages[name].examples) {
      const text = JSON.stringify(payload);
      example.add(new Option(text, text));
    }
  }
  // Every installation has sports: of what the other examples name this one may have nothing.
  const first = [...example.options].findIndex(({ value }) => value.includes('"sport:'));
  example.selectedIndex = Math.max(0, first);
  message.value = example.value;
}

begin();
