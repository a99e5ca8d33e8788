// What a client is given: the URL and the options, checked before anything is sent.

const CHOICES = { transport: ["auto", "websocket", "sse"], encoding: ["json", "msgpack"] };

/** Complete the URL of a gateway to that of its stream. */
export function streamUrl(url) {
  const full = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `ws://${url}`);
  full.protocol = full.protocol.replace(/^http/, "ws");
  if (!/^wss?:$/.test(full.protocol)) throw new TypeError(`${url} is not the URL of a gateway: ws:, wss:, http: or https:`);
  if (full.pathname === "/") full.pathname = "/v1/stream";
  return full.href;
}

/** List channels; a single one may be given by its name. */
export const listed = (channels) => (typeof channels === "string" ? [channels] : [...channels]);

/** Complete the options of a client. Throws TypeError for what could only fail later. */
export function completed(options) {
  const { transport = "auto", encoding = "json" } = options;
  const getToken = options.getToken ?? (() => undefined);
  for (const [name, value] of Object.entries({ transport, encoding })) {
    if (!CHOICES[name].includes(value)) throw new TypeError(`${name} is one of ${CHOICES[name].join(", ")}, not ${value}`);
  }
  if (typeof getToken !== "function") throw new TypeError("getToken is a function that returns the token, or a promise of it");
  return { ...options, channels: listed(options.channels ?? []), getToken, transport, encoding };
}

/** What a request says of the options that a channel is followed with. */
export const requestOptions = ({ format, minIntervalMs } = {}) => ({
  ...(minIntervalMs ? { min_interval_ms: minIntervalMs } : {}),
  ...(format && format !== "decimal" ? { format } : {}),
});

/** Whether there are WebSockets, which Node lacks before version 22. */
export const hasWebSockets = () => typeof WebSocket !== "undefined";
