// What a Redis says of itself, for operators. It decides nothing: `redis-policy.ts` reads what decides.

import type { RedisClient } from "./redis-client.ts";
import { listMasters } from "./redis-client.ts";
import { isRefusal } from "./redis-refusal.ts";

/** Every part is null where Redis does not say it, or may not be asked. Of a cluster it is what one master says. */
export interface RedisServerState {
  version: string | null;
  /** `Valkey` or `Redis`. */
  product: string | null;
  connections: number | null;
  maxConnections: number | null;
  usedMemoryBytes: number | null;
  /** Null without a limit. */
  maxMemoryBytes: number | null;
  /** Whether it writes an append-only file. */
  appendOnly: boolean | null;
  /** Whether its last write to the append-only file succeeded. */
  lastWriteOk: boolean | null;
}

/** @throws Error when Redis does not answer. */
export async function readRedisServerState(client: RedisClient): Promise<RedisServerState | undefined> {
  const [master] = listMasters(client);
  if (master === undefined) return undefined;
  try {
    return parseServerState(await master.info());
  } catch (error) {
    // A user may be kept from INFO.
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

/** @param info all sections of INFO. */
export function parseServerState(info: string): RedisServerState {
  const text = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1] ?? null;
  const number = (name: string) => {
    const value = text(name);
    return value === null ? null : Number(value);
  };
  const valkey = text("valkey_version");
  const version = valkey ?? text("redis_version");
  const aof = text("aof_enabled");
  const lastWrite = text("aof_last_write_status");
  return {
    version,
    product: version === null ? null : valkey === null ? "Redis" : "Valkey",
    connections: number("connected_clients"),
    maxConnections: number("maxclients"),
    usedMemoryBytes: number("used_memory"),
    maxMemoryBytes: number("maxmemory") || null,
    appendOnly: aof === null ? null : aof === "1",
    lastWriteOk: aof !== "1" || lastWrite === null ? null : lastWrite === "ok",
  };
}
