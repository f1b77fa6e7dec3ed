// Where the relay's own services are, as far as the settings of one process say. No target and no key set may be there.

import type { OwnService } from "../address/own-services.ts";
import type { RedisAddress } from "./redis-address.ts";
import type { Secret } from "./secret.ts";

interface OwnServiceSettings {
  HOST: string;
  PORT: number;
  API_HOST: string;
  API_PORT: number;
  WORKER_HOST: string;
  WORKER_PORT: number;
  DATABASE_URL: Secret<string>;
  DATABASE_DIRECT_URL?: Secret<string> | undefined;
  REDIS_URL?: Secret<RedisAddress> | undefined;
}

const POSTGRES_PORT = 5432;

export function listOwnServices(settings: OwnServiceSettings): OwnService[] {
  const { HOST, PORT, API_HOST, API_PORT, WORKER_HOST, WORKER_PORT, DATABASE_URL, DATABASE_DIRECT_URL, REDIS_URL } =
    settings;
  const listeners = [
    { what: "ingress (PORT)", host: HOST, port: PORT },
    { what: "API (API_PORT)", host: API_HOST, port: API_PORT },
    { what: "worker (WORKER_PORT)", host: WORKER_HOST, port: WORKER_PORT },
  ];
  const redis = REDIS_URL?.reveal();
  const redisHosts = redis === undefined ? [] : redis.kind === "single" ? [redis] : redis.hosts;
  const stores = [
    ...placeOfPostgres("DATABASE_URL", DATABASE_URL),
    ...placeOfPostgres("DATABASE_DIRECT_URL", DATABASE_DIRECT_URL),
    ...redisHosts.map(({ host, port }) => ({ what: "Redis (REDIS_URL)", host, port })),
  ];
  return [
    ...listeners.map((service) => ({ ...service, mayListenOnMore: false })),
    ...stores.map((service) => ({ ...service, mayListenOnMore: true })),
  ];
}

/** Reads the URL as `pg` does: the query wins, and a host that is a path is a Unix socket. */
function placeOfPostgres(setting: string, url: Secret<string> | undefined) {
  if (url === undefined) return [];
  const { hostname, port, searchParams } = new URL(url.reveal());
  const host = searchParams.get("host") || decodeURIComponent(hostname) || "localhost";
  if (host.startsWith("/")) return [];
  const what = `PostgreSQL (${setting})`;
  return [{ what, host, port: Number(searchParams.get("port") || port || POSTGRES_PORT) }];
}
