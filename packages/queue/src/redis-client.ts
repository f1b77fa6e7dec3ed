// Makes the clients of Redis, whether it is one server, a cluster, or a server that Sentinels watch.

import { Cluster, Command, Redis, type RedisOptions } from "ioredis";

import type { RedisAddress } from "@sluice/shared/settings/redis-address";
import type { Secret } from "@sluice/shared/settings/secret";

import { paceReconnects } from "./redis-reconnect.ts";

export type RedisClient = Redis | Cluster;

/** How Redis is reached. */
export interface RedisServers {
  address: RedisAddress;
  /** Certificates in PEM that TLS trusts in place of those of the system. */
  ca?: string | undefined;
}

/** The servers of the settings; undefined without a REDIS_URL. */
export function readRedisServers(settings: {
  REDIS_URL?: Secret<RedisAddress> | undefined;
  REDIS_CA_FILE?: string | undefined;
}): RedisServers | undefined {
  const address = settings.REDIS_URL?.reveal();
  return address && { address, ca: settings.REDIS_CA_FILE };
}

/** How long a client waits, and for what. */
export type ClientPatience = Pick<
  RedisOptions,
  "maxRetriesPerRequest" | "enableOfflineQueue" | "commandTimeout" | "socketTimeout"
>;

const CONNECT_TIMEOUT_MS = 2_000;
const MAX_RECONNECT_DELAY_MS = 1_000;
/** The pause in which a cluster is asked for its masters, when no error says that they have changed. */
const REFRESH_SLOTS_MS = 5_000;

/** Reconnecting never ends, because an outage may take hours. */
const reconnectDelayMs = (times: number) => Math.min(2 ** times * 25, MAX_RECONNECT_DELAY_MS);

/** Begins to connect. The caller listens to `error`. */
export function openRedisClient(servers: RedisServers, patience: ClientPatience): RedisClient {
  const client = makeClient(servers, patience);
  if (client instanceof Cluster) client.on("+node", surviveSecondErrors);
  else surviveSecondErrors(client);
  return client;
}

/**
 * ioredis listens for one error of a connection. A TLS connection that is closed while its certificate is refused has a
 * second one, which would end the process.
 */
function surviveSecondErrors(client: Redis): void {
  client.on("error", () => client.stream?.on("error", () => undefined));
}

function makeClient({ address, ca }: RedisServers, patience: ClientPatience): RedisClient {
  const tls = address.tls ? (ca === undefined ? {} : { ca }) : undefined;
  const { username, password, family } = address;
  const common = { username, password, family, tls, connectTimeout: CONNECT_TIMEOUT_MS };
  // A node of a cluster needs neither: the cluster itself finds the master again.
  const reconnecting = { retryStrategy: reconnectDelayMs, reconnectOnError: paceReconnects() };
  switch (address.kind) {
    case "single": {
      const { host, port, db } = address;
      return new Redis({ ...common, ...patience, host, port, db, ...reconnecting });
    }
    case "sentinel": {
      const { hosts, db, master, sentinelLogin } = address;
      return new Redis({
        ...common,
        ...patience,
        db,
        sentinels: hosts,
        name: master,
        sentinelUsername: sentinelLogin.username,
        sentinelPassword: sentinelLogin.password,
        sentinelTLS: tls,
        enableTLSForSentinelMode: address.tls,
        sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
        // Without `failoverDetector`: a client of ioredis 6.0 that hears of a failover while it connects never connects
        // again. A connection to the old master ends anyway: a sentinel has it closed, or `socketTimeout` ends it.
        ...reconnecting,
        sentinelRetryStrategy: reconnectDelayMs,
      });
    }
    case "cluster": {
      const { enableOfflineQueue, ...nodes } = patience;
      return new Cluster(address.hosts, {
        ...(enableOfflineQueue !== undefined && { enableOfflineQueue }),
        redisOptions: { ...common, ...nodes },
        clusterRetryStrategy: reconnectDelayMs,
        slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
        slotsRefreshInterval: REFRESH_SLOTS_MS,
        // A host keeps its name, which its certificate has.
        dnsLookup: (host, done) => done(null, host),
      });
    }
  }
}

/** The servers that may take a write. Empty while a cluster is not known yet. */
export function listMasters(client: RedisClient): Redis[] {
  return client instanceof Cluster ? client.nodes("master") : [client];
}

/** The server that takes the writes of a key; undefined while a cluster is not known yet. */
export function findMaster(client: RedisClient, key: string): Redis | undefined {
  if (!(client instanceof Cluster)) return client;
  const [address] = client.slots[new Command("get", [key]).getSlot()] ?? [];
  return client.nodes("master").find(({ options }) => `${options.host}:${options.port}` === address);
}

/**
 * Calls back when a cluster has other masters than before: what was asked before says nothing about them. One server
 * that takes over from another needs another connection, which `close` and `ready` tell.
 */
export function onMastersChanged(client: RedisClient, listener: () => void): void {
  if (!(client instanceof Cluster)) return;
  const describe = () => {
    const masters = client.nodes("master").map(({ options }) => `${options.host}:${options.port}`);
    return masters.toSorted().join();
  };
  let before: string | undefined;
  client.on("refresh", () => {
    const now = describe();
    if (before !== undefined && before !== now) listener();
    before = now;
  });
}

/** Calls back with every client that BullMQ makes of this one. */
export function onDuplicate(client: RedisClient, listener: (duplicate: RedisClient) => void): void {
  if (client instanceof Cluster) {
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (...words) => {
      const second = duplicate(...words);
      second.on("+node", surviveSecondErrors);
      listener(second);
      return second;
    };
  } else {
    const duplicate = client.duplicate.bind(client);
    // Each connection has a pace of its own: the reconnect of one says nothing about where another leads.
    client.duplicate = (changes) => {
      const second = duplicate({ ...changes, reconnectOnError: paceReconnects() });
      surviveSecondErrors(second);
      listener(second);
      return second;
    };
  }
}
