// What a Redis says of its replicas.

import type { Redis } from "ioredis";

import { readRefusalCode } from "./redis-refusal.ts";

export interface Replication {
  /** A replica says nothing of the replicas that a failover would choose from. */
  isPrimary: boolean;
  /** The replicas that are connected and have caught up with the stream of writes. */
  online: number;
  /** Whether Redis can wait for the append-only files of replicas: Redis 7.2 or newer, and Valkey. */
  hasWaitAof: boolean;
}

/** @throws Error when Redis does not answer, or refuses INFO. */
export async function readReplication(redis: Redis): Promise<Replication> {
  const [info, hasWaitAof] = await Promise.all([redis.info("replication"), askForWaitAof(redis)]);
  return { ...parseReplication(info), hasWaitAof };
}

/** @param info the section `replication` of INFO. */
export function parseReplication(info: string): Omit<Replication, "hasWaitAof"> {
  return {
    isPrimary: /^role:master\b/m.test(info),
    online: info.match(/^slave\d+:(?:.*,)?state=online(?:,|\r?$)/gm)?.length ?? 0,
  };
}

async function askForWaitAof(redis: Redis): Promise<boolean> {
  try {
    const answer: unknown = await redis.call("COMMAND", "INFO", "waitaof");
    return Array.isArray(answer) && Array.isArray(answer[0]);
  } catch (error) {
    // A user may be kept from this question. WAIT, which every Redis has, says nearly as much.
    if (readRefusalCode(error) !== undefined) return false;
    throw error;
  }
}
