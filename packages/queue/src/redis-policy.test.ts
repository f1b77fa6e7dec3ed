// Which settings of Redis make an acknowledgement worth nothing.

import { expect, test } from "vitest";

import { findProblems, type RedisPolicy } from "./redis-policy.ts";

const DURABLE: RedisPolicy = {
  appendonly: "yes",
  appendfsync: "always",
  "no-appendfsync-on-rewrite": "no",
  "maxmemory-policy": "noeviction",
};

test("finds nothing wrong with a Redis that keeps what it confirmed", () => {
  expect(findProblems(DURABLE)).toEqual([]);
});

test.each([
  [{ appendonly: "no" }, "appendonly is no"],
  [{ appendfsync: "everysec" }, "appendfsync is everysec"],
  [{ appendfsync: "no" }, "appendfsync is no"],
  [{ "no-appendfsync-on-rewrite": "yes" }, "no-appendfsync-on-rewrite is yes"],
  [{ "maxmemory-policy": "allkeys-lru" }, "maxmemory-policy is allkeys-lru"],
  [{ "maxmemory-policy": "volatile-ttl" }, "maxmemory-policy is volatile-ttl"],
])("names what is wrong: %o", (change, problem) => {
  expect(findProblems({ ...DURABLE, ...change })).toEqual([problem]);
});

test("what cannot be read counts against it", () => {
  for (const name of Object.keys(DURABLE) as (keyof RedisPolicy)[]) {
    const { [name]: _, ...rest } = DURABLE;
    expect(findProblems(rest)).toEqual([`${name} cannot be read`]);
  }
});
