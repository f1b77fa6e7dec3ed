// The relay's own ports, Redis and PostgreSQL are no targets, whatever TARGET_ALLOW says.

import { expect } from "vitest";

import type { ResolveHost } from "@sluice/shared/address/resolve-host";

import { attemptAt } from "./support/attempt-target.ts";
import { claimPort } from "./support/ports.ts";
import { relayTest } from "./support/relay.ts";

/** Every name is this machine, in two spellings. */
const resolve: ResolveHost = (_, __, done) =>
  done(null, [
    { address: "127.0.0.1", family: 4 },
    { address: "::ffff:127.0.0.1", family: 6 },
  ]);

const [PORT, API_PORT] = [await claimPort(), await claimPort()];
const TARGET_ALLOW = "127.0.0.0/8, ::/0, own.test";
const test = relayTest({ resolve, settings: { PORT: String(PORT), API_PORT: String(API_PORT), TARGET_ALLOW } });

test("the worker connects to none of them", async ({ relay }) => {
  const { port: postgresPort } = new URL(relay.database.url);
  const { port: workerPort } = new URL(relay.workerUrl ?? "");
  const own = [
    [PORT, "ingress (PORT)"],
    [API_PORT, "API (API_PORT)"],
    [workerPort, "worker (WORKER_PORT)"],
    [postgresPort, "PostgreSQL (DATABASE_URL)"],
    ...(relay.redisUrl === undefined ? [] : [[new URL(relay.redisUrl).port, "Redis (REDIS_URL)"] as const]),
  ] as const;
  for (const [port, what] of own) {
    for (const scheme of ["http", "https"]) {
      expect(await attemptAt(relay, `${scheme}://own.test:${port}/`)).toBe(
        `address refused: own.test is 127.0.0.1, port ${port}: the relay's own ${what}`,
      );
    }
  }
});

test("the API refuses those that it knows, by the field", async ({ relay }) => {
  const refusal = /invalid_request.*\/uri.*the relay's own/;
  for (const host of ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"]) {
    for (const port of [PORT, API_PORT, new URL(relay.database.url).port]) {
      await expect(attemptAt(relay, `http://${host}:${port}/`)).rejects.toThrow(refusal);
    }
  }
});

test("any other port of the same address is a target", async ({ relay, receiver }) => {
  expect(await attemptAt(relay, receiver.url.replace("127.0.0.1", "own.test"))).toBeNull();
  expect(receiver.requests).toHaveLength(1);
});
