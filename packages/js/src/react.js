"use client"; // of frameworks that render on servers too

// Hooks for React: a provider that connects for all components, and a hook for each channel that one shows.

import { createContext, createElement, useContext, useEffect, useMemo, useSyncExternalStore } from "react";
import { OddsClient, OddsStore } from "./index.js";

const OddsContext = createContext(undefined);
const NOTHING = { events: [], markets: [], isLoaded: false, staleSince: undefined };

const keyOf = (options) => JSON.stringify([options.format ?? "decimal", options.minIntervalMs ?? 0]);
const given = ({ format, minIntervalMs }) => ({ ...(format && { format }), ...(minIntervalMs !== undefined && { minIntervalMs }) });

/** A client and its store, with which options each channel is shown, and by how many components. */
class Link {
  constructor(url, options, changed) {
    this.store = new OddsStore();
    this.store.subscribe(changed);
    /** channel -> {key, count} @type {Map<string, {key: string, count: number}>} */
    this.shown = new Map();
    this.client = new OddsClient(url, {
      ...options,
      onMessage: (message) => {
        this.store.apply(message);
        options.onMessage?.(message);
      },
    });
  }
}

/** One connection, and more of them while channels are shown with other options at the same time: a connection has one of each. */
class Connection {
  #url;
  #options;
  #links = [];
  #started = false;
  #listeners = new Set();

  constructor(url, options) {
    this.#url = url;
    this.#options = options;
    this.state = "connecting";
    const onState = (state, detail) => {
      this.state = state;
      this.#changed();
      options.onState?.(state, detail);
    };
    const first = this.#open({ ...options, onState });
    // What the provider was told to follow stays, whatever components show.
    for (const channel of first.client.channels) first.shown.set(channel, { key: keyOf(options), count: 1 });
    this.client = first.client;
  }

  #changed = () => {
    for (const listener of [...this.#listeners]) listener();
  };

  #open(options) {
    const link = new Link(this.#url, options, this.#changed);
    this.#links.push(link);
    if (this.#started) link.client.start();
    return link;
  }

  start() {
    this.#started = true;
    for (const { client } of this.#links) client.start();
  }

  stop() {
    this.#started = false;
    for (const { client } of this.#links) client.stop();
  }

  /** Name options that a channel is shown with: those of the provider where a component says nothing else. */
  key(options) {
    return keyOf({ ...this.#options, ...given(options) });
  }

  /** Find the store that has a channel with these options; undefined while nothing shows it. */
  find(channel, key) {
    return this.#links.find((link) => link.shown.get(channel)?.key === key);
  }

  show(channel, options) {
    const key = this.key(options);
    const free = () => this.#links.find((link) => !link.shown.has(channel));
    const { channels, onState, ...others } = this.#options;
    const link = this.find(channel, key) ?? free() ?? this.#open(others);
    const count = link.shown.get(channel)?.count ?? 0;
    link.shown.set(channel, { key, count: count + 1 });
    if (!count) link.client.subscribe(channel, given(options));
    this.#changed();
    return () => this.#hide(link, channel);
  }

  #hide(link, channel) {
    const shown = link.shown.get(channel);
    if (--shown.count) return;
    link.shown.delete(channel);
    link.client.unsubscribe(channel);
    if (link.shown.size || link.client === this.client) return;
    link.client.stop();
    this.#links.splice(this.#links.indexOf(link), 1);
  }

  onChange = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

/** Connects, as long as it is mounted, with the options that it was first given; with another `url` it connects anew. */
export function OddsProvider({ url, options = {}, children }) {
  // eslint-disable-next-line react-hooks/exhaustive-deps -- options are usually made anew in each rendering
  const connection = useMemo(() => new Connection(url, options), [url]);
  useEffect(() => {
    connection.start();
    return () => connection.stop();
  }, [connection]);
  return createElement(OddsContext.Provider, { value: connection }, children);
}

function useConnection() {
  const connection = useContext(OddsContext);
  if (!connection) throw new Error("useChannel and useOddsClient need an <OddsProvider> around them");
  return connection;
}

/**
 * What a channel shows now: `{events, markets, isLoaded, staleSince}`. It is subscribed to as long as a component uses it, with the
 * provider's `format` and `minIntervalMs` unless `options` say others.
 */
export function useChannel(channel, options = {}) {
  const connection = useConnection();
  const key = connection.key(options);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- `key` says what of the options matters
  useEffect(() => connection.show(channel, options), [connection, channel, key]);
  const read = useMemo(() => {
    let store;
    let version;
    let state = NOTHING;
    return () => {
      const found = connection.find(channel, key)?.store;
      const current = found?.versionOf(channel);
      if (store !== found || version !== current) {
        [store, version, state] = [found, current, found === undefined ? NOTHING : found.channel(channel)];
      }
      return state;
    };
  }, [connection, channel, key]);
  return useSyncExternalStore(connection.onChange, read, () => NOTHING);
}

/** The client, and the state of its connection: `{client, state}`. */
export function useOddsClient() {
  const connection = useConnection();
  const state = useSyncExternalStore(connection.onChange, () => connection.state, () => "connecting");
  return { client: connection.client, state };
}
