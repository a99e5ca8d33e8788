"use client"; // of frameworks that render on servers too

// Hooks for React: a provider with one connection for all components, and a hook for each channel that one shows.

import { createContext, createElement, useContext, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { OddsClient, OddsStore } from "./index.js";

const OddsContext = createContext(undefined);
const NOTHING = { events: [], markets: [], isLoaded: false, staleSince: undefined };

/** One connection, with how many components show each channel. */
class Connection {
  #shown = new Map();
  #listeners = new Set();

  constructor(url, options) {
    this.store = new OddsStore();
    this.state = "connecting";
    this.client = new OddsClient(url, {
      ...options,
      onMessage: (message) => {
        this.store.apply(message);
        options.onMessage?.(message);
      },
      onState: (state, detail) => {
        this.state = state;
        for (const listener of [...this.#listeners]) listener();
        options.onState?.(state, detail);
      },
    });
  }

  show(channel) {
    const count = this.#shown.get(channel) ?? 0;
    this.#shown.set(channel, count + 1);
    if (!count) this.client.subscribe(channel);
  }

  hide(channel) {
    const count = this.#shown.get(channel) - 1;
    if (count) return this.#shown.set(channel, count);
    this.#shown.delete(channel);
    this.client.unsubscribe(channel);
  }

  onState(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Connects, as long as it is mounted, with the options that it was first given; with another `url` it connects anew. */
export function OddsProvider({ url, options = {}, children }) {
  // eslint-disable-next-line react-hooks/exhaustive-deps -- options are usually made anew in each rendering
  const connection = useMemo(() => new Connection(url, options), [url]);
  useEffect(() => {
    connection.client.start();
    return () => connection.client.stop();
  }, [connection]);
  return createElement(OddsContext.Provider, { value: connection }, children);
}

function useConnection() {
  const connection = useContext(OddsContext);
  if (!connection) throw new Error("useChannel and useOddsClient need an <OddsProvider> around them");
  return connection;
}

/** What a channel shows now: `{events, markets, isLoaded, staleSince}`. It is subscribed to as long as a component uses it. */
export function useChannel(channel) {
  const connection = useConnection();
  useEffect(() => {
    connection.show(channel);
    return () => connection.hide(channel);
  }, [connection, channel]);
  const read = useMemo(() => {
    let version;
    let state;
    return () => {
      const current = connection.store.versionOf(channel);
      if (version !== current) [version, state] = [current, connection.store.channel(channel)];
      return state;
    };
  }, [connection, channel]);
  return useSyncExternalStore(useStore(connection), read, () => NOTHING);
}

const useStore = (connection) => useMemo(() => (changed) => connection.store.subscribe(changed), [connection]);

/** The client, and the state of its connection: `{client, state}`. */
export function useOddsClient() {
  const connection = useConnection();
  const [state, setState] = useState(connection.state);
  useEffect(() => {
    setState(connection.state);
    return connection.onState(() => setState(connection.state));
  }, [connection]);
  return { client: connection.client, state };
}
