// A WebSocket whose messages are objects, in the encoding that was asked for.

import { decode, encode } from "./msgpack.js";

/** `readyState` of a socket that messages can be sent on. */
export const OPEN = 1;
const SUBPROTOCOLS = { json: "odds.v1.json", msgpack: "odds.v1.msgpack" };

export class OddsSocket {
  #socket;

  /**
   * @param {string} url the stream's URL, ws: or wss:
   * @param {"json" | "msgpack"} encoding of the messages
   */
  constructor(url, encoding) {
    const socket = (this.#socket = new WebSocket(url, SUBPROTOCOLS[encoding]));
    socket.binaryType = "arraybuffer";
    const isText = encoding === "json";
    this.send = isText
      ? (request) => socket.send(JSON.stringify(request))
      : (request) => socket.send(encode(request));
    socket.onopen = (event) => this.onopen?.(event);
    socket.onerror = (event) => this.onerror?.(event);
    socket.onclose = (event) => this.onclose?.(event);
    socket.onmessage = ({ data }) => {
      let message;
      try {
        message = isText ? JSON.parse(data) : decode(data);
      } catch (error) {
        message = error;
      }
      this.onmessage?.({ data: message });
    };
  }

  get readyState() {
    return this.#socket.readyState;
  }

  close() {
    this.#socket.close();
  }
}
