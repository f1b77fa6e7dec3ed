// A database number of its own for every test file, on the run's Redis.

import { Redis } from "ioredis";
import { inject } from "vitest";

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
