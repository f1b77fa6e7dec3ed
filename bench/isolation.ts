// What targets that are down or slow cost a healthy one: its latency, from the post of an event to its arrival, with and
// without them, in turns over one relay. `node bench/isolation.ts` prints the table of bench/README.md.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { parseId } from "@sluice/shared/ids";
import { generateSigningSecret } from "@sluice/shared/signature/secret";
import { signV1 } from "@sluice/shared/signature/signing/v1";
import { migrate } from "@sluice/shared/store/migrate";
import { Redis } from "ioredis";
import pg from "pg";

import { startEmbeddedPostgres } from "../scripts/embedded-postgres.ts";
import { findRedisServer, startRedisServer } from "../scripts/redis-server.ts";

const EVENTS_PER_SECOND = Number(process.env["RATE"] ?? 100);
const ROUNDS = Number(process.env["ROUNDS"] ?? 2);
/** Of each target that is down. */
const WAITING = Number(process.env["WAITING"] ?? 100_000);
/** Something of 50 ms happens every few seconds on such a machine: a shorter phase has it once more, or once less. */
const PHASE_SECONDS = 30;
/** At the head of a phase, while targets change and a breaker opens. Sent, and not counted. */
const SETTLE_SECONDS = 2;
const SLOW_MS = 10_000;
const READY_LIMIT_MS = 60_000;

interface Phase {
  latenciesMs: number[];
  /** At its end. */
  redisBytes: number;
}

const cleanups: (() => unknown)[] = [];

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

/** Nobody listens there. */
async function refusedUrl(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return `http://127.0.0.1:${port}/hook`;
}

async function freePort(): Promise<string> {
  return new URL(await refusedUrl()).port;
}

async function startApp(name: string, env: Record<string, string>, readyUrl: string): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, `../apps/${name}/src/main.ts`)], {
    env: { ...process.env, ...env },
    stdio: ["ignore", process.env["VERBOSE"] === undefined ? "ignore" : "inherit", "inherit"],
  });
  cleanups.push(async () => {
    if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
  });
  const limitMs = performance.now() + READY_LIMIT_MS;
  while (!(await fetch(readyUrl).catch(() => undefined))?.ok) {
    if (performance.now() > limitMs || child.exitCode !== null) throw new Error(`${name} did not become ready`);
    await delay(100);
  }
}

/** Deliveries that are due, each of an event of its own: SQL makes them faster than the ingress. */
async function seedWaiting(databaseUrl: string, targetIds: string[]): Promise<void> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    await client.query(
      `INSERT INTO events (id, source_id, webhook_id, type, received_at, scheme, content_type, body)
       SELECT uuidv7(), (SELECT id FROM sources WHERE name = 'gemini'), 'msg_seed_' || n, 'batch.succeeded', now(), 'v1',
         'application/json', convert_to('{"type":"batch.succeeded","data":{"id":"' || repeat('x', 200) || '"}}', 'UTF8')
       FROM generate_series(1, $1::int) n`,
      [WAITING],
    );
    for (const targetId of targetIds) {
      await client.query(
        `INSERT INTO deliveries (id, event_id, target_id, source_id, event_type, webhook_id, status, next_attempt_at,
           next_trigger, deadline_at)
         SELECT uuidv7(), id, $1, source_id, type, webhook_id, 'pending', now(), 'initial', now() + interval '1 day'
         FROM events WHERE webhook_id LIKE 'msg_seed_%'`,
        [targetId],
      );
    }
    await client.query("VACUUM ANALYZE events, deliveries");
    // What was seeded is otherwise written while the first phases are measured.
    await client.query("CHECKPOINT");
  } finally {
    await client.end();
  }
}

async function measure(): Promise<void> {
  const binary = findRedisServer();
  if (binary === undefined) throw new Error("There is no redis-server on the PATH");
  const dir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  chmodSync(dir, 0o711);
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, "redis"));
  const [postgres, redisServer] = await Promise.all([
    startEmbeddedPostgres({ dataDir: join(dir, "postgres") }),
    startRedisServer(binary, join(dir, "redis")),
  ]);
  cleanups.push(postgres.stop, redisServer.stop);
  await migrate(postgres.url);

  const secret = generateSigningSecret();
  const apiKey = randomBytes(16).toString("hex");
  const [ingressPort, apiPort, workerPort] = [await freePort(), await freePort(), await freePort()];
  const env = {
    DATABASE_URL: postgres.url,
    REDIS_URL: redisServer.url,
    MASTER_KEY: randomBytes(32).toString("base64"),
    ADMIN_API_KEY: apiKey,
    GEMINI_SIGNING_SECRET: secret.text,
    HOST: "127.0.0.1",
    PORT: ingressPort,
    API_PORT: apiPort,
    WORKER_PORT: workerPort,
    LOG_LEVEL: "warn",
  };
  const api = `http://127.0.0.1:${apiPort}`;
  await startApp("gateway", env, `${api}/readyz`);
  await startApp("worker", env, `http://127.0.0.1:${workerPort}/readyz`);

  const call = async (method: string, path: string, body: object): Promise<{ id: string }> => {
    const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
    const response = await fetch(api + path, { method, headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as { id: string };
  };
  const createTarget = async (uri: string, changes: object) =>
    (await call("POST", "/v1/targets", { uri, subscribed_events: ["*"], ...changes })).id;
  const disabled = { state: "disabled" };

  const sentAt = new Map<string, number>();
  let latenciesMs: number[] = [];
  const healthy = await listen((request, response) => {
    const id = String(request.headers["webhook-id"]);
    const at = sentAt.get(id);
    if (at !== undefined) latenciesMs.push(performance.now() - at);
    sentAt.delete(id);
    request.resume().on("end", () => response.end());
  });
  await createTarget(healthy, {});
  const hangs = await listen((request) => request.resume());
  const slow = await listen((request, response) => {
    request.resume();
    setTimeout(() => response.end(), SLOW_MS).unref();
  });
  const company = {
    "refuses connections": await createTarget(await refusedUrl(), disabled),
    // A short limit, so that within a phase it hangs, its breaker opens, and probes hang.
    "never answers": await createTarget(hangs, { ...disabled, timeout_seconds: 1 }),
    "answers in 10 s": await createTarget(slow, disabled),
  };
  const { "answers in 10 s": _, ...down } = company;
  await seedWaiting(
    postgres.url,
    Object.values(down).map((id) => parseId("tgt", id, "id")),
  );

  const redis = new Redis(redisServer.url);
  cleanups.push(() => redis.disconnect());
  const usedMemory = async () => Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]);
  const send = async (scheduledAt: number, isCounted: boolean) => {
    const webhookId = `msg_${randomUUID()}`;
    const timestamp = String(Math.floor(Date.now() / 1000));
    const body = Buffer.from(
      JSON.stringify({ type: "batch.succeeded", version: "v1", timestamp, data: { id: webhookId } }),
    );
    const signature = signV1(secret.key, webhookId, timestamp, body);
    if (isCounted) sentAt.set(webhookId, scheduledAt);
    const headers = { "webhook-id": webhookId, "webhook-timestamp": timestamp, "webhook-signature": signature };
    const response = await fetch(`http://127.0.0.1:${ingressPort}/in/gemini`, { method: "POST", headers, body });
    if (!response.ok) throw new Error(`Refused with ${response.status}`);
    await response.arrayBuffer();
  };
  const runPhase = async (): Promise<Phase> => {
    latenciesMs = [];
    const startedAt = performance.now();
    const sends: Promise<void>[] = [];
    // Open loop: an event is as old as the moment at which it should have been sent.
    for (let n = 0; n < EVENTS_PER_SECOND * (SETTLE_SECONDS + PHASE_SECONDS); n++) {
      const scheduledAt = startedAt + (n * 1000) / EVENTS_PER_SECOND;
      await delay(Math.max(0, scheduledAt - performance.now()));
      sends.push(send(scheduledAt, n >= EVENTS_PER_SECOND * SETTLE_SECONDS));
    }
    await Promise.all(sends);
    const limitMs = performance.now() + 5_000;
    while (sentAt.size > 0 && performance.now() < limitMs) await delay(10);
    if (sentAt.size > 0) throw new Error(`${sentAt.size} events did not arrive`);
    return { latenciesMs, redisBytes: await usedMemory() };
  };

  // Everything warm, and its memory with it.
  await runPhase();
  const alone: Phase[] = [];
  const rows = new Map<string, Phase[]>(Object.keys(company).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, id] of Object.entries(company)) {
      alone.push(await runPhase());
      await call("PATCH", `/v1/targets/${id}`, { state: "enabled" });
      rows.get(name)?.push(await runPhase());
      await call("PATCH", `/v1/targets/${id}`, disabled);
    }
  }
  print(alone, rows);
}

function percentile(values: number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * fraction) - 1] ?? Number.NaN;
}

function print(alone: Phase[], rows: Map<string, Phase[]>): void {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  console.log(
    `${availableParallelism()} cores (${cpus()[0]?.model}), Node ${process.versions.node}, commit ${commit}; ` +
      `${EVENTS_PER_SECOND} events/s, ${WAITING.toLocaleString("en")} deliveries waiting for each target that is down\n`,
  );
  console.log("| beside it | events | p50 ms | p99 ms | p99 to p99 alone | Redis, MB |");
  console.log("| --- | ---: | ---: | ---: | ---: | ---: |");
  const base = percentile(
    alone.flatMap((phase) => phase.latenciesMs),
    0.99,
  );
  for (const [name, phases] of [["nobody", alone] as const, ...rows]) {
    const all = phases.flatMap((phase) => phase.latenciesMs);
    const p99 = percentile(all, 0.99);
    const megabytes = Math.max(...phases.map((phase) => phase.redisBytes)) / 1e6;
    const cells = [name, all.length, percentile(all, 0.5).toFixed(1), p99.toFixed(1), (p99 / base).toFixed(2)];
    console.log(`| ${cells.join(" | ")} | ${megabytes.toFixed(2)} |`);
  }
}

try {
  await measure();
} finally {
  for (const cleanup of cleanups.toReversed()) await cleanup();
}
