// A database number of its own for every test file, on the run's Redis; and a whole Redis for a test that changes
// its settings.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Redis } from "ioredis";
import { inject } from "vitest";

import { findRedisServer, startRedisServer } from "./redis-server.ts";

/** Handed out in turn. Number 0 holds the counter. */
const COUNTER = "sluice-test:next-database";

export interface TestRedis {
  url: string;
  /** Empties the database. */
  drop: () => Promise<void>;
}

/** @throws Error where there is no Redis: tests/support/setup.ts skips the tests that would need it. */
export async function createTestRedis(): Promise<TestRedis> {
  const server = inject("redisUrl");
  if (server === undefined) throw new Error("There is no Redis");
  const client = new Redis(server);
  try {
    const [, databases] = (await client.config("GET", "databases")) as [string, string];
    const number = 1 + ((await client.incr(COUNTER)) % (Number(databases) - 1));
    const url = new URL(server);
    url.pathname = `/${number}`;
    const flush = async () => {
      const own = new Redis(url.href);
      try {
        await own.flushdb();
      } finally {
        own.disconnect();
      }
    };
    await flush();
    return { url: url.href, drop: flush };
  } finally {
    client.disconnect();
  }
}

export interface OwnRedis {
  url: string;
  /** Of its one user. */
  client: Redis;
  stop: () => Promise<void>;
}

/** @throws Error where there is no binary: {@link findRedisServer}. */
export async function startOwnRedis(): Promise<OwnRedis> {
  const binary = findRedisServer();
  if (binary === undefined) throw new Error("There is no redis-server");
  const dir = mkdtempSync(join(tmpdir(), "sluice-redis-"));
  const server = await startRedisServer(binary, dir);
  const client = new Redis(server.url);
  const stop = async () => {
    client.disconnect();
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { url: server.url, client, stop };
}
