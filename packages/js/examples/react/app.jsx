// ?gateway=http://localhost:8080&channel=sport:football&format=fractional#token

import { useState } from "react";
import { createRoot } from "react-dom/client";
import { OddsProvider, useChannel, useOddsClient } from "oddsengine/react";

const parameters = new URLSearchParams(location.search);
const gateway = parameters.get("gateway") ?? "http://localhost:8080";
const channel = parameters.get("channel") ?? "sport:football";
const formats = parameters.has("format") ? parameters.getAll("format") : [undefined]; // prices in several formats beside each other
const token = location.hash.replace(/^#(token=)?/, "") || undefined;
const options = { getToken: async () => token }; // of a shop, from its own server

const inOrder = (selections) => Object.entries(selections).sort(([, a], [, b]) => a.order - b.order);

function Market({ market }) {
  return inOrder(market.selections).map(([key, { name, price }]) => (
    <li key={key} data-id={`${market.id}/${key}`} data-status={market.status}>{name} {price ?? "–"}</li>
  ));
}

function Prices({ format }) {
  const { markets, isLoaded, staleSince } = useChannel(channel, { format });
  if (!isLoaded) return <p>Loading</p>;
  return (
    <ul style={{ opacity: staleSince === undefined ? 1 : 0.6 }}>
      {markets.map((market) => <Market key={market.id} market={market} />)}
    </ul>
  );
}

function App() {
  const { client, state } = useOddsClient();
  const [shown, setShown] = useState(true);
  return (
    <main>
      <h1>Odds in React</h1>
      <p id="state">{`${state}: ${client.channels.join(" ")}`}</p>
      <button onClick={() => setShown(!shown)}>{shown ? "Hide" : "Show"}</button>
      {shown && formats.map((format) => <Prices key={format ?? ""} format={format} />)}
    </main>
  );
}

createRoot(document.getElementById("root")).render(
  <OddsProvider url={gateway} options={options}>
    <App />
  </OddsProvider>,
);
