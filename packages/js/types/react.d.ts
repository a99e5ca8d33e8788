import type { ReactElement, ReactNode } from "react";
import type { ChannelState, ClientOptions, OddsClient, State, SubscribeOptions } from "./index.js";

/** Connects, as long as it is mounted, with the options that it was first given; with another `url` it connects anew. */
export function OddsProvider(props: { url: string; options?: ClientOptions; children?: ReactNode }): ReactElement;

/**
 * What a channel shows now. It is subscribed to as long as a component uses it, with the provider's `format` and `minIntervalMs`
 * unless `options` say others. A channel that is shown with several options at the same time takes a connection for each.
 */
export function useChannel(channel: string, options?: SubscribeOptions): ChannelState;

/** The client, and the state of its connection. */
export function useOddsClient(): { client: OddsClient; state: State };
