// The intake jobs in Redis, for a backup. They hold acknowledged events that no worker has stored yet.

import { setTimeout as delay } from "node:timers/promises";

import { SluiceError } from "@sluice/shared/runtime/errors";

import { openRedisClient, type RedisClient, type RedisServers } from "./redis-client.ts";
import { redisPrefix } from "./relay-identity.ts";
import { describeStoreError } from "./store-error.ts";

const QUEUE = "intake";
const LISTS = ["wait", "paused", "active"];
const SETS = ["delayed", "prioritized", "failed"];
const COMMAND_TIMEOUT_MS = 10_000;
const CONNECT_LIMIT_MS = 10_000;
const POLL_MS = 50;
/** Bodies that are read at once. A single job may be larger. */
const MAX_PART_BYTES = 8 * 1024 * 1024;
const MAX_PART_JOBS = 500;

/**
 * Reads the data of every intake job that is unfinished now. A worker may finish a job meanwhile: then its events are in
 * PostgreSQL when this has ended, and may be missing here. So a snapshot of PostgreSQL MUST be taken afterwards.
 * @param relayId the identity of the relay, a UUID.
 * @throws SluiceError `unavailable` when Redis is away.
 */
export async function* readIntakeJobs(servers: RedisServers, relayId: string): AsyncGenerator<string> {
  const redis = openRedisClient(servers, {
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
  });
  let lastError: unknown;
  redis.on("error", (error) => {
    lastError = error;
  });
  try {
    await waitUntilReady(redis, () => lastError);
    const keyOf = (rest: string) => `${redisPrefix(relayId)}:${QUEUE}:${rest}`;
    const ids = await listIds(redis, keyOf);
    for (let from = 0; from < ids.length; from += MAX_PART_JOBS) {
      yield* readData(redis, keyOf, ids.slice(from, from + MAX_PART_JOBS));
    }
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw awayError(error);
  } finally {
    redis.disconnect();
  }
}

async function waitUntilReady(redis: RedisClient, readLastError: () => unknown): Promise<void> {
  const deadlineMs = performance.now() + CONNECT_LIMIT_MS;
  while (redis.status !== "ready") {
    if (performance.now() > deadlineMs) throw awayError(readLastError() ?? new Error("no answer"));
    await delay(POLL_MS);
  }
}

/** In one transaction: a job that changes its state between two reads would be in neither. */
async function listIds(redis: RedisClient, keyOf: (rest: string) => string): Promise<string[]> {
  const transaction = redis.multi();
  for (const name of LISTS) transaction.lrange(keyOf(name), 0, -1);
  for (const name of SETS) transaction.zrange(keyOf(name), "0", "-1");
  const answers = (await transaction.exec()) ?? [];
  return answers.flatMap(([error, ids]) => {
    if (error !== null) throw error;
    return ids as string[];
  });
}

async function* readData(redis: RedisClient, keyOf: (rest: string) => string, ids: string[]): AsyncGenerator<string> {
  const sizes = await Promise.all(ids.map((id) => redis.hstrlen(keyOf(id), "data")));
  for (let from = 0; from < ids.length;) {
    let to = from + 1;
    for (let bytes = sizes[from] ?? 0; to < ids.length; to++) {
      bytes += sizes[to] ?? 0;
      if (bytes > MAX_PART_BYTES) break;
    }
    const part = await Promise.all(ids.slice(from, to).map((id) => redis.hget(keyOf(id), "data")));
    yield* part.filter((data) => data !== null);
    from = to;
  }
}

function awayError(error: unknown): SluiceError {
  return new SluiceError(
    "unavailable",
    `Redis cannot be read (${describeStoreError(error)}). It may hold acknowledged events that no worker has stored yet, ` +
      "so there is no backup without it. Start Redis and try again",
    { cause: error },
  );
}
