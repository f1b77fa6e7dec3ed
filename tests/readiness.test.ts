// Ready means accepted: a process whose stores answer questions and refuse jobs is not ready.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, inject, onTestFinished, test } from "vitest";

import { startEmbeddedPostgres } from "../scripts/postgres/embedded.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { findRedisServer } from "./support/redis-server.ts";
import { startOwnRedis } from "./support/redis.ts";
import { createQueueRedis, type Relay, startRelay } from "./support/relay.ts";
import { geminiEvent, signWebhook } from "./support/sign.ts";
import { runSql } from "./support/sql.ts";
import { until } from "./support/wait.ts";

const DISK_BYTES = 384 * 1024 * 1024;

// oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
type Readiness = { status: number; body: any };

async function askWorker({ workerUrl }: Relay): Promise<Readiness> {
  const response = await fetch(`${workerUrl}/readyz`);
  return { status: response.status, body: await response.json() };
}

const isReady = { accept: ({ body }: Readiness) => body.status === "ready" };

/** What gateway and worker say while PostgreSQL refuses every job. */
const refusing = (problem: string) => {
  const postgres = { ok: false, problem };
  return {
    gateway: {
      accept: ({ status, body }: Readiness) =>
        body.checks.postgres.problem === problem &&
        (inject("queue") === "redis" ? body.status === "degraded" : status === 503 && body.checks.queue.takes === null),
    },
    worker: { status: 503, body: { status: "not_ready", checks: { postgres } } },
  };
};

async function startReadyRelay(database: TestDatabase): Promise<Relay> {
  const redis = await createQueueRedis();
  const relay = await startRelay(database, redis?.url);
  onTestFinished(async () => {
    await relay.stop();
    await redis?.drop();
  });
  await until(relay.readiness, isReady);
  await until(() => askWorker(relay), isReady);
  return relay;
}

const send = (relay: Relay) => relay.send(signWebhook({ secret: relay.secret, body: geminiEvent() }));

test("a PostgreSQL whose sessions may only read is not ready to take events", async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const relay = await startReadyRelay(database);
  const name = new URL(database.url).pathname.slice(1);
  const server = inject("databaseUrl");
  const endSessions = () =>
    runSql(
      server,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = '${name}' AND application_name <> 'sluice-test'`,
    );
  await runSql(server, `ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  await endSessions();
  const { gateway, worker } = refusing("SQLSTATE 25006");
  await until(relay.readiness, gateway);
  await until(() => askWorker(relay), { accept: ({ body }) => body.checks.postgres.problem === "SQLSTATE 25006" });
  expect(await askWorker(relay)).toMatchObject(worker);
  // With Redis, the gateway still takes events, and says that it is degraded.
  expect((await send(relay)).status).toBe(inject("queue") === "redis" ? 200 : 503);

  await runSql(server, `ALTER DATABASE ${name} RESET default_transaction_read_only`);
  await endSessions();
  await until(relay.readiness, isReady);
  await until(() => askWorker(relay), isReady);
  await relay.sendEvent();
});

test("a PostgreSQL with a full disk is not ready to take events", async ({ skip }) => {
  const disk = mkdtempSync(join(tmpdir(), "sluice-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", disk], { stdio: "ignore" });
  } catch {
    rmSync(disk, { recursive: true });
    skip("this user may not mount a small disk");
  }
  // PostgreSQL runs as another user when this process runs as root.
  chmodSync(disk, 0o755);
  onTestFinished(() => {
    execFileSync("umount", [disk]);
    rmSync(disk, { recursive: true });
  });
  // Old segments of the log stay, so that the log itself does not need the disk during the test.
  const server = await startEmbeddedPostgres({ dataDir: join(disk, "data"), settings: { min_wal_size: "128MB" } });
  onTestFinished(server.stop);
  const database = await createTestDatabase(null, server.url);
  onTestFinished(database.drop);
  const relay = await startReadyRelay(database);

  const filler = join(disk, "filler");
  expect(() => writeFileSync(filler, Buffer.alloc(DISK_BYTES))).toThrow("ENOSPC");
  const { gateway, worker } = refusing("SQLSTATE 53100");
  await until(relay.readiness, gateway);
  await until(() => askWorker(relay), { accept: ({ body }) => body.checks.postgres.problem === "SQLSTATE 53100" });
  expect(await askWorker(relay)).toMatchObject(worker);

  rmSync(filler);
  await until(relay.readiness, isReady);
  await until(() => askWorker(relay), isReady);
  await relay.sendEvent();
});

/** Starts a relay over a Redis as a user that may do everything but what the rules forbid. */
async function startWithUser(...rules: string[]) {
  const own = await startOwnRedis();
  onTestFinished(own.stop);
  await own.client.acl("SETUSER", "limited", "on", ">password", "~*", "&*", "+@all", ...rules);
  const url = new URL(own.url);
  [url.username, url.password] = ["limited", "password"];
  const database = await createTestDatabase();
  const relay = await startRelay(database, url.href);
  onTestFinished(async () => {
    await relay.stop();
    await database.drop();
  });
  return { relay, allow: (...more: string[]) => own.client.acl("SETUSER", "limited", ...more) };
}

describe.runIf(inject("queue") === "redis" && findRedisServer() !== undefined)("a Redis user", () => {
  test.for([
    ["scripts", "eval", "evalsha"],
    ["INFO", "info"],
  ])("without %s is not ready, and its events go to PostgreSQL", async ([, ...commands]) => {
    const { relay, allow } = await startWithUser(...commands.map((command) => `-${command}`));
    const { body } = await until(relay.readiness, {
      accept: (answer) => answer.body.checks.redis.problems.includes("it refuses with NOPERM"),
    });
    expect(body).toMatchObject({ status: "degraded", checks: { queue: { ok: true, takes: "postgres" } } });
    await relay.sendEvent();
    expect(await relay.countIntakeJobs()).toEqual({ redis: 0, postgres: 1 });

    await allow(...commands.map((command) => `+${command}`));
    await until(relay.readiness, isReady);
    await relay.sendUntilRedisTakes();
  });

  test("who may not wait for jobs makes a worker degraded", async () => {
    const { relay, allow } = await startWithUser("-bzpopmin");
    const { body } = await until(() => askWorker(relay), {
      accept: (answer) => answer.body.checks.consumers.problems.length > 0,
    });
    expect(body).toMatchObject({
      status: "degraded",
      checks: {
        redis: { ok: true },
        consumers: { problems: expect.arrayContaining(["intake from Redis: Redis error NOPERM"]) },
      },
    });
    await allow("+bzpopmin");
    await until(() => askWorker(relay), isReady);
  });
});
