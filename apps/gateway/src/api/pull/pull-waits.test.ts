// Pulls that wait: which one wakes, what ends a wait, and how many may wait.

import { openLog } from "@sluice/shared/runtime/log";
import { expect } from "vitest";

import { callVerb, createPullTarget, seedDue } from "../../../../../tests/support/api/pulls.ts";
import { createTestApi, storeKey, test } from "../../../../../tests/support/api/test-api.ts";
import { PullWaits } from "./pull-waits.ts";

const log = openLog("gateway", "silent");
const WAIT = { wait_seconds: 25 };

test("a pull that waits gets what becomes due, and only one of several gets it", async ({ api }) => {
  const target = await createPullTarget(api);
  const waiting = [callVerb(api, target, "pull", WAIT), callVerb(api, target, "pull", WAIT)];
  await expect.poll(() => api.pullWaits.count).toBe(2);
  await seedDue(api, target);
  const first = await Promise.race(waiting);
  expect(first.body.deliveries).toHaveLength(1);
  await seedDue(api, target);
  const both = await Promise.all(waiting);
  const tokens = both.flatMap(({ body }) => body.deliveries.map((one: { delivery_id: string }) => one.delivery_id));
  expect(new Set(tokens).size).toBe(2);
});

test("a pull waits for its own target, and is over in its time with nothing", async ({ api }) => {
  const [target, other] = [await createPullTarget(api), await createPullTarget(api)];
  const waiting = callVerb(api, target, "pull", { wait_seconds: 1 });
  await expect.poll(() => api.pullWaits.count).toBe(1);
  await seedDue(api, other);
  expect((await waiting).body).toEqual({ deliveries: [], waiting: 0, state: "enabled" });
  expect(api.pullWaits.count).toBe(0);
});

test("a target that is resumed wakes a pull, and what is retried by hand does", async ({ api }) => {
  const target = await createPullTarget(api, { state: "paused" });
  await seedDue(api, target);
  const resumed = callVerb(api, target, "pull", WAIT);
  await expect.poll(() => api.pullWaits.count).toBe(1);
  await api.call("POST", `/v1/targets/${target.id}:resume`);
  const [{ token, delivery_id: id }] = (await resumed).body.deliveries;

  await callVerb(api, target, "ack", { results: [{ token, status_code: 500, duration_ms: 1 }] });
  const retried = callVerb(api, target, "pull", WAIT);
  await expect.poll(() => api.pullWaits.count).toBe(1);
  await api.call("POST", `/v1/deliveries/${id}:retry`);
  expect((await retried).body.deliveries).toMatchObject([{ delivery_id: id, attempt: 2 }]);
});

test("a key that is revoked meanwhile gets nothing", async ({ api }) => {
  const target = await createPullTarget(api);
  const key = await storeKey(api, ["write"]);
  const waiting = callVerb(api, target, "pull", { wait_seconds: 2 }, { key });
  await expect.poll(() => api.pullWaits.count).toBe(1);
  await api.db.pool.query("UPDATE api_keys SET revoked_at = now() WHERE name LIKE 'of write%'");
  await seedDue(api, target);
  expect((await waiting).body.deliveries).toEqual([]);
  expect((await callVerb(api, target, "pull")).body.deliveries).toHaveLength(1);
});

test("more pulls than a key or a gateway may have are refused, and none that waits is ended", async ({ database }) => {
  const limits = { maxWaits: 3, maxWaitsOfKey: 2 };
  const api = await createTestApi(database.db, { pullWaits: new PullWaits({ db: database.db, log, limits }) });
  const target = await createPullTarget(api);
  const key = await storeKey(api, ["write"]);
  const waits: Promise<unknown>[] = [];
  const open = async (options = {}) => {
    waits.push(callVerb(api, target, "pull", WAIT, options));
    await expect.poll(() => api.pullWaits.count).toBe(waits.length);
  };
  await open({ key });
  await open({ key });
  const refused = await callVerb(api, target, "pull", WAIT, { key });
  expect(refused).toMatchObject({ status: 503, body: { code: "unavailable" } });
  expect(refused.headers.get("retry-after")).toBe("5");
  await open();
  expect((await callVerb(api, target, "pull", WAIT)).status).toBe(503);
  // One that does not wait needs no place.
  expect((await callVerb(api, target, "pull")).status).toBe(200);
  api.pullWaits.close();
  for (const answer of await Promise.all(waits))
    expect(answer).toMatchObject({ status: 200, body: { deliveries: [] } });
});

test("a client that goes away ends its wait, claims nothing, and what is due goes to the next", async ({
  database,
}) => {
  const waits = new PullWaits({ db: database.db, log, limits: { maxWaits: 9, maxWaitsOfKey: 9 } });
  const leaving = new AbortController();
  let claims = 0;
  const pull = (signal: AbortSignal, claim: () => Promise<string | undefined>) =>
    waits.take({ targetId: crypto.randomUUID(), holderId: null, waitMs: 25_000, signal, claim });
  const left = pull(leaving.signal, async () => void claims++);
  await expect.poll(() => waits.count).toBe(1);
  leaving.abort();
  expect(await left).toBeUndefined();
  expect([claims, waits.count]).toEqual([1, 0]);
  waits.close();
  expect(await pull(new AbortController().signal, async () => undefined)).toBeUndefined();
});

test("while PostgreSQL does not answer, a wait goes on to its end", async ({ database }) => {
  const pool = { query: () => Promise.reject(new Error("away")) };
  const db = { ...database.db, pool } as unknown as typeof database.db;
  const waits = new PullWaits({ db, log, limits: { maxWaits: 9, maxWaitsOfKey: 9 } });
  const { signal } = new AbortController();
  const taken = await waits.take({ targetId: "t", holderId: null, waitMs: 200, signal, claim: async () => undefined });
  expect(taken).toBeUndefined();
});
