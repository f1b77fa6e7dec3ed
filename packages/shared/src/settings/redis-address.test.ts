// Every form of REDIS_URL is read, and what cannot be meant is a fault that shows no password.

import { describe, expect, test } from "vitest";

import { readRedisAddress } from "./redis-address.ts";

const COMMON = { tls: false, username: undefined, password: undefined, family: undefined };
const NO_LOGIN = { username: undefined, password: undefined };

const read = (url: string) => {
  const result = readRedisAddress(url);
  return "address" in result ? result.address : result.fault;
};

describe("one Redis", () => {
  test.for([
    ["redis://cache", { host: "cache", port: 6379, db: 0 }],
    ["redis://cache:7000/", { host: "cache", port: 7000, db: 0 }],
    ["REDIS://cache/12", { host: "cache", port: 6379, db: 12 }],
    ["rediss://cache", { host: "cache", port: 6379, db: 0, tls: true }],
    ["redis://[fd00::1]:7000", { host: "fd00::1", port: 7000, db: 0 }],
    ["redis://cache?family=6", { host: "cache", port: 6379, db: 0, family: 6 }],
    ["redis://:pass@cache", { host: "cache", port: 6379, db: 0, password: "pass" }],
    ["redis://user:p%40s%3As%2f%25@cache", { host: "cache", port: 6379, db: 0, username: "user", password: "p@s:s/%" }],
    ["redis://:a/b@cache/1", { host: "cache", port: 6379, db: 1, password: "a/b" }],
    ["redis://user:a:b@c@cache", { host: "cache", port: 6379, db: 0, username: "user", password: "a:b@c" }],
  ] as const)("%s", ([url, expected]) => {
    expect(read(url)).toEqual({ kind: "single", ...COMMON, ...expected });
  });
});

test.for([
  ["redis+cluster://a", { hosts: [{ host: "a", port: 6379 }] }],
  [
    "rediss+cluster://u:p@a:7000,b:7001,[::1]:7002/0",
    {
      tls: true,
      username: "u",
      password: "p",
      hosts: [
        { host: "a", port: 7000 },
        { host: "b", port: 7001 },
        { host: "::1", port: 7002 },
      ],
    },
  ],
] as const)("a cluster: %s", ([url, expected]) => {
  expect(read(url)).toEqual({ kind: "cluster", ...COMMON, ...expected });
});

test.for([
  [
    "redis+sentinel://a,b:7000/3?master=my%20master",
    {
      hosts: [
        { host: "a", port: 26379 },
        { host: "b", port: 7000 },
      ],
      db: 3,
      master: "my master",
      sentinelLogin: NO_LOGIN,
    },
  ],
  [
    "rediss+sentinel://u:p@a?master=m&sentinel_username=su&sentinel_password=s%26p",
    {
      tls: true,
      username: "u",
      password: "p",
      hosts: [{ host: "a", port: 26379 }],
      db: 0,
      master: "m",
      sentinelLogin: { username: "su", password: "s&p" },
    },
  ],
] as const)("sentinels: %s", ([url, expected]) => {
  expect(read(url)).toEqual({ kind: "sentinel", ...COMMON, ...expected });
});

test.for([
  ["hunter2", "must be a URL such as"],
  ["http://hunter2", "must be a URL such as"],
  ["redis+other://hunter2", "must be a URL such as"],
  ["redis://", "needs hosts such as"],
  ["redis://:6379", "needs hosts such as"],
  ["redis://a b", "needs hosts such as"],
  ["redis://a:70000", "has a port that is not from 1 to 65535"],
  ["redis://a:0", "has a port that is not from 1 to 65535"],
  ["redis://a:hunter2", "needs hosts such as"],
  ["redis://a,b", "names several hosts; begin it with redis+cluster:// or redis+sentinel://"],
  ["redis+cluster://a,", "needs hosts such as"],
  ["redis://a/hunter2", "has a path that is not the number of a database"],
  ["redis://a/-1", "has a path that is not the number of a database"],
  ["redis://a/0/1", "has a path that is not the number of a database"],
  ["redis://:hunter2?@a", "needs hosts such as"],
  ["redis+cluster://a/1", "names a database; a cluster has only 0"],
  ["redis://:hunter2%@a", "has a % in its user and password"],
  ["redis://:hunter2%zz@a", "has a % in its user and password"],
  ["redis://:hunter2#@a", "has a #; write %23"],
  ["redis://hunter2@a", "has a user without a password"],
  ["redis://a?hunter2=1", "has an unknown query parameter; known are family"],
  ["redis://a?master=x", "has an unknown query parameter; known are family"],
  ["redis+cluster://a?db=1", "has an unknown query parameter; known are family"],
  ["redis://a?family=5", "needs 0, 4 or 6 as family"],
  ["redis+sentinel://a", "needs the name under which the sentinels know the master"],
  ["redis+sentinel://a?master=", "needs the name under which the sentinels know the master"],
  ["redis+sentinel://a?master=x&master=hunter2", "has the query parameter master twice"],
  ["redis+sentinel://a?master=x&sentinel_username=hunter2", "has a sentinel_username without a sentinel_password"],
  ["redis+sentinel://a?master=%hunter2", "has a % in its query"],
] as const)("%s is refused", ([url, fault]) => {
  expect(read(url)).toEqual(expect.stringContaining(fault));
  expect(read(url)).not.toContain("hunter2");
});
