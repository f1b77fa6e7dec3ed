// The connections to all targets. They are direct, because a proxy would connect to addresses that were not checked. The
// lane of a target bounds how many connections the target gets. Targets share their connections only with targets that
// have the same settings of TLS, so that a client certificate serves no other target.

import { createHash } from "node:crypto";
import { createSecureContext, getCACertificates, type SecureContextOptions } from "node:tls";

import type { AddressGuard } from "@sluice/shared/address/guard";
import type { ResolveHost } from "@sluice/shared/address/resolve-host";
import type { TargetTls } from "@sluice/store/configuration/target-tls";
import type { Target } from "@sluice/store/configuration/targets";
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
/**
 * So many different settings of TLS have connections at once. Above that, those used longest ago lose theirs. One takes
 * some 30 KB and a millisecond; one that trusts the system and TARGET_CA_FILE takes 1.3 MB and a tenth of a second,
 * because Node reads all these certificates for each.
 */
const MOST_TLS_ROUTES = { light: 500, heavy: 32 };

export interface TargetConnectionsOptions {
  guard: AddressGuard;
  /** In place of the system's resolver. */
  resolve?: ResolveHost | undefined;
  /** Counts the connections. */
  sockets?: OpenSockets | undefined;
  /** The age from which a connection gets no further request. */
  connectionSeconds?: number | undefined;
  /** Certificates in PEM, in addition to those of the system. */
  ca?: string | undefined;
}

/** How requests get to a target: over kept connections, and over one of their own. */
export interface Route {
  pools: AgingPools;
  connect: buildConnector.connector;
}

interface TlsRoute extends Route {
  /** The hash of the settings. */
  key: string;
  weight: keyof typeof MOST_TLS_ROUTES;
  lastUsedMs: number;
}

export class TargetConnections {
  readonly #options: TargetConnectionsOptions;
  /** Undefined for what Node trusts by itself. */
  readonly #ca: string[] | undefined;
  readonly #shared: Route;
  readonly #tlsRoutes = new Map<string, TlsRoute>();
  /** Spares hashing. The settings of a target that did not change are the same object in every copy. */
  readonly #known = new WeakMap<TargetTls, TlsRoute>();

  constructor(options: TargetConnectionsOptions) {
    this.#options = options;
    this.#ca = options.ca === undefined ? undefined : [...getCACertificates("default"), options.ca];
    this.#shared = openRoute(options, this.#ca === undefined ? {} : { ca: this.#ca });
  }

  /** MUST be used at once: connections that nobody uses may be closed. @throws Error for settings that cannot be used. */
  routeTo({ tls }: Pick<Target, "tls">): Route {
    if (tls === null) return this.#shared;
    let route = this.#known.get(tls);
    if (route === undefined || this.#tlsRoutes.get(route.key) !== route) {
      route = this.#findTlsRoute(tls);
      this.#known.set(tls, route);
    }
    route.lastUsedMs = Date.now();
    return route;
  }

  /**
   * Closes the connections that are old, and those by settings of TLS that no target has any more, when their requests
   * have ended. To be called every minute or so.
   */
  tidy(targets: Iterable<Pick<Target, "tls">>): void {
    this.#shared.pools.closeOld();
    const kept = new Set<TlsRoute | undefined>();
    for (const { tls } of targets) if (tls !== null) kept.add(this.#known.get(tls));
    for (const route of this.#tlsRoutes.values()) {
      if (kept.has(route)) route.pools.closeOld();
      else this.#close(route);
    }
  }

  /** Waits for the requests under way. */
  async close(): Promise<void> {
    await Promise.all([this.#shared, ...this.#tlsRoutes.values()].map(({ pools }) => pools.close()));
  }

  /** Ends the requests under way. */
  async destroy(): Promise<void> {
    await Promise.all([this.#shared, ...this.#tlsRoutes.values()].map(({ pools }) => pools.destroy()));
  }

  #findTlsRoute(tls: TargetTls): TlsRoute {
    const { ca, serverName, clientCertificate, clientKey } = tls;
    const settings = JSON.stringify([ca, serverName, clientCertificate, clientKey]);
    const key = createHash("sha256").update(settings).digest("base64");
    const known = this.#tlsRoutes.get(key);
    if (known !== undefined) return known;
    const trusted = ca ?? this.#ca;
    const secure = {
      ...(trusted !== undefined && { ca: trusted }),
      ...(clientCertificate !== null && { cert: clientCertificate }),
      ...(clientKey !== null && { key: clientKey }),
    };
    const weight = ca === null && this.#ca !== undefined ? "heavy" : "light";
    const opened = openRoute(this.#options, secure, serverName ?? undefined);
    const route: TlsRoute = { ...opened, key, weight, lastUsedMs: Date.now() };
    const alike = [...this.#tlsRoutes.values()].filter((one) => one.weight === weight);
    if (alike.length >= MOST_TLS_ROUTES[weight]) {
      this.#close(alike.reduce((a, b) => (a.lastUsedMs <= b.lastUsedMs ? a : b)));
    }
    this.#tlsRoutes.set(key, route);
    return route;
  }

  #close(route: TlsRoute): void {
    this.#tlsRoutes.delete(route.key);
    void route.pools.close();
  }
}

function openRoute(options: TargetConnectionsOptions, secure: SecureContextOptions, servername?: string): Route {
  const { guard, resolve, sockets, connectionSeconds = CONNECTION_SECONDS } = options;
  // One context for all connections: reading certificates takes longer than all else in making a connection.
  const tls = { secureContext: createSecureContext(secure), ...(servername !== undefined && { servername }) };
  const connect = guardConnections(guard, resolve, sockets, tls);
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
