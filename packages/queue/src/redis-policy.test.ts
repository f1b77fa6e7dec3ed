// The settings of Redis with which a confirmed job can be lost are found.

import { expect, test } from "vitest";

import { findProblems, type RedisPolicy } from "./redis-policy.ts";

const DURABLE: RedisPolicy = {
  appendonly: "yes",
  appendfsync: "always",
  "no-appendfsync-on-rewrite": "no",
  "maxmemory-policy": "noeviction",
};

test("a Redis that keeps what it confirmed has no problem", () => {
  expect(findProblems(DURABLE)).toEqual([]);
});

test.each([
  [{ appendonly: "no" }, "appendonly is no"],
  [{ appendfsync: "everysec" }, "appendfsync is everysec"],
  [{ appendfsync: "no" }, "appendfsync is no"],
  [{ "no-appendfsync-on-rewrite": "yes" }, "no-appendfsync-on-rewrite is yes"],
  [{ "maxmemory-policy": "allkeys-lru" }, "maxmemory-policy is allkeys-lru"],
  [{ "maxmemory-policy": "volatile-ttl" }, "maxmemory-policy is volatile-ttl"],
])("the problem is named: %o", (change, problem) => {
  expect(findProblems({ ...DURABLE, ...change })).toEqual([problem]);
});

test("a setting that cannot be read is a problem", () => {
  for (const name of Object.keys(DURABLE) as (keyof RedisPolicy)[]) {
    const { [name]: _, ...rest } = DURABLE;
    expect(findProblems(rest)).toEqual([`${name} cannot be read`]);
  }
});
