// Gives each caller an empty database number on the Redis of the run, or a whole Redis for a test that changes its
// settings.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Redis } from "ioredis";
import { inject } from "vitest";

import { readRedisAddress, type RedisAddress } from "@sluice/shared/settings/redis-address";

import { findRedisServer, startRedisServer } from "./redis-server.ts";

/** The key, in database 0, that counts the database numbers which were handed out. */
const COUNTER = "sluice-test:next-database";

export interface TestRedis {
  url: string;
  /** Empties the database. */
  drop: () => Promise<void>;
}

/** @throws Error when this machine has no Redis. tests/support/setup.ts skips the tests that need one. */
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

/** The address of a URL that is right. */
export function readAddress(url: string): RedisAddress {
  const read = readRedisAddress(url);
  if ("fault" in read) throw new Error(`The URL ${read.fault}`);
  return read.address;
}

export interface OwnRedis {
  url: string;
  pid: number;
  /** Connected as the default user, which may change the settings. */
  client: Redis;
  stop: () => Promise<void>;
}

/** @throws Error when {@link findRedisServer} finds no binary. */
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
  return { url: server.url, pid: server.pid, client, stop };
}
