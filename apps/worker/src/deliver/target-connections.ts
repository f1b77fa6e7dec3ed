// The connections to all targets. They are direct, because a proxy would connect to addresses that were not checked. The
// lane of a target bounds how many connections the target gets.

import type { AddressGuard } from "@sluice/shared/address/guard";
import type { ResolveHost } from "@sluice/shared/address/resolve-host";
import type { buildConnector } from "undici";

import { AgingPools } from "./aging-pools.ts";
import { guardConnections } from "./guarded-connect.ts";
import { MAX_RESPONSE_HEADER_BYTES } from "./node-request.ts";
import type { OpenSockets } from "./open-sockets.ts";

/**
 * Shorter than the keep-alive time of common servers (Node's is 5 s). A server that names its own time overrides it.
 */
const KEEP_ALIVE_MS = 4_000;
/** The default of TARGET_CONNECTION_SECONDS. */
const CONNECTION_SECONDS = 60;

export interface TargetConnectionsOptions {
  guard: AddressGuard;
  /** In place of the system's resolver. */
  resolve?: ResolveHost | undefined;
  /** Counts the connections. */
  sockets?: OpenSockets | undefined;
  /** The age from which a connection gets no further request. */
  connectionSeconds?: number | undefined;
}

/** How requests get to a target: over kept connections, and over one of their own. */
interface Route {
  pools: AgingPools;
  connect: buildConnector.connector;
}

export class TargetConnections {
  readonly #shared: Route;

  constructor(options: TargetConnectionsOptions) {
    this.#shared = openRoute(options);
  }

  routeTo(): Route {
    return this.#shared;
  }

  /** Closes the connections that are old, when their requests have ended. To be called every minute or so. */
  tidy(): void {
    this.#shared.pools.closeOld();
  }

  /** Waits for the requests under way. */
  async close(): Promise<void> {
    await this.#shared.pools.close();
  }

  /** Ends the requests under way. */
  async destroy(): Promise<void> {
    await this.#shared.pools.destroy();
  }
}

function openRoute(options: TargetConnectionsOptions): Route {
  const { guard, resolve, sockets, connectionSeconds = CONNECTION_SECONDS } = options;
  const connect = guardConnections(guard, resolve, sockets);
  const pools = new AgingPools(connectionSeconds * 1000, {
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    // With HTTP/2 allowed, undici lets all requests to a host wait for one connection, even while none is made.
    allowH2: false,
    // The deadline of the attempt covers headers and body.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect,
  });
  return { pools, connect };
}
