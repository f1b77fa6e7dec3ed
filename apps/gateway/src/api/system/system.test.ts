import { expect } from "vitest";

import { openDatabase } from "@sluice/store/connection/database";
import { noteRetention } from "@sluice/store/delivery/retention-state";
import { writeProblems } from "@sluice/store/operational/problems";

import { ADMIN_KEY, createTestApi, storeKey, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { createApi } from "../api.ts";
import { newId } from "@sluice/shared/domain/ids";

test("a reader sees versions, stores, queue, targets, retention and clocks", async ({ api }) => {
  const key = await storeKey(api, ["read"]);
  await api.call("POST", "/v1/targets", {
    body: { name: "paused", uri: "http://a.example/", subscribed_events: ["*"], state: "paused" },
  });
  await noteRetention(api.db, { logDays: 30, bodyDays: undefined, auditDays: 365 });
  const { status, body } = await api.call("GET", "/v1/system", { key });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    status: "ready",
    problems: [],
    gateway: { public_url: "https://hooks.example.com" },
    versions: { node: process.versions.node, postgres: expect.stringMatching(/^\d+\.\d+/), redis: null },
    stores: { postgres: { ok: true, problem: null, pools: [{ name: "api" }] }, redis: null },
    queue: { backend: "postgres", takes: "postgres", waiting_batches: { postgres: 0 }, set_aside_events: {} },
    targets: { enabled: 0, paused: 1, disabled: 0, breaker_open: 0 },
    deliveries: { waiting: 0, oldest_waiting_seconds: 0 },
    retention: { log_days: 30, body_days: null, audit_days: 365, overdue_days: 0 },
  });
  expect(body.versions.schema).toMatch(/^00\d\d_\w+$/);
  const { used, limit } = body.stores.postgres.connections;
  expect(used).toBeGreaterThan(0);
  expect(used).toBeLessThan(limit);
  // Both clocks are of this machine.
  expect(Math.abs(body.clock.ahead_ms)).toBeLessThanOrEqual(body.clock.precision_ms + 5);
});

test("a problem of another process is shown, and one of this gateway once, with the time since when it lasts", async ({
  api,
}) => {
  const problems = [{ name: "redis", problem: "it does not answer" }];
  await writeProblems(api.db, { processId: newId(), app: "worker" }, problems);
  await writeProblems(api.db, { processId: newId(), app: "gateway" }, problems);
  const degraded = await createTestApi(api.db, {
    system: {
      ...api.system,
      readReadiness: async () => ({ status: "degraded", checks: { redis: { ok: false } }, problems }),
    },
  });
  const { body } = await degraded.call("GET", "/v1/system");
  expect(body.status).toBe("degraded");
  const [{ name: check, problem } = { name: "", problem: "" }] = problems;
  expect(body.problems).toEqual([
    { app: "gateway", check, problem, since: expect.stringMatching(/Z$/) },
    { app: "worker", check, problem, since: expect.stringMatching(/Z$/) },
  ]);
});

test("while PostgreSQL is away, what it would say is null, and the answer comes all the same", async ({ api }) => {
  const db = openDatabase({
    url: "postgres://nobody@127.0.0.1:1/none",
    applicationName: "sluice-test",
    maxConnections: 1,
    onError: () => {},
  });
  const app = createApi({
    ...api,
    system: { ...api.system, db, readFigures: () => Promise.reject(new Error("away")) },
  });
  const response = await app.request("/v1/system", { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    versions: { postgres: null, schema: null },
    clock: { gateway: expect.any(String), postgres: null, ahead_ms: null },
    workers: null,
    targets: { enabled: null },
    retention: { log_days: null, overdue_days: null },
  });
  await db.close();
});

test("settings and log need the scope admin", async ({ api }) => {
  const key = await storeKey(api, ["write"]);
  for (const path of ["/v1/system/settings", "/v1/system/log"]) {
    expect((await api.call("GET", path, { key })).body).toMatchObject({ code: "forbidden" });
    expect((await api.call("GET", path)).status).toBe(200);
  }
});

test("the settings have every setting of a gateway, and of secrets only whether they are set", async ({ api }) => {
  const settings = [
    { name: "DATABASE_URL", isSecret: true, isSet: true, value: null },
    { name: "PORT", isSecret: false, isSet: false, value: "8080" },
  ];
  const { body } = await (await createTestApi(api.db, { settings })).call("GET", "/v1/system/settings");
  expect(body.data).toEqual([
    { name: "DATABASE_URL", is_secret: true, is_set: true, value: null },
    { name: "PORT", is_secret: false, is_set: false, value: "8080" },
  ]);
  const all = await api.call("GET", "/v1/system/settings");
  const secrets = all.body.data.filter((each: { is_secret: boolean }) => each.is_secret);
  expect(secrets.map(({ name }: { name: string }) => name)).toContain("MASTER_KEY");
});

test("the log has the latest warnings and errors, the newest last", async ({ api }) => {
  const { log, call }: TestApi = api;
  log.info("not shown");
  log.warn({ store: "redis" }, "a warning");
  log.error({ err: new Error("it broke") }, "an error");
  const { body } = await call("GET", "/v1/system/log");
  expect(body.data.slice(-2)).toMatchObject([
    { level: "warn", message: "a warning", fields: { store: "redis" } },
    { level: "error", message: "an error", fields: { err: { message: "it broke" } } },
  ]);
});
