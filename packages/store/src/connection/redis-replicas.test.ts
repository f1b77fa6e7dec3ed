// The most replicas that a Redis had in the last 24 hours are remembered, for all processes.

import { expect } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { noteRedisReplicas } from "./redis-replicas.ts";

test("a lower number does not lower what is remembered, until a day after the higher one was last seen", async ({
  database: { db },
}) => {
  const note = (seen: number) => noteRedisReplicas(db.pool, "one", seen);
  const age = (seen: number, hours: number) =>
    db.pool.query("UPDATE redis_replicas SET last_seen_at = now() - make_interval(hours => $2) WHERE seen = $1", [
      seen,
      hours,
    ]);
  expect(await note(0)).toBe(0);
  expect(await note(1)).toBe(1);
  expect(await note(3)).toBe(3);
  expect(await note(0)).toBe(3);
  await age(3, 23);
  expect(await note(1)).toBe(3);
  await age(3, 25);
  expect(await note(1)).toBe(1);
  await age(1, 25);
  expect(await note(1)).toBe(1);
  expect(await note(0)).toBe(1);
  const { rows } = await db.pool.query("SELECT seen FROM redis_replicas");
  expect(rows).toEqual([{ seen: 1 }]);
});

test("another Redis is remembered by itself", async ({ database: { db } }) => {
  await noteRedisReplicas(db.pool, "two", 2);
  expect(await noteRedisReplicas(db.pool, "three", 0)).toBe(0);
});
