// Reads what GET /v1/system shows. Each store is asked for a limited time, and what it does not say is null: somebody reads this
// because something is wrong.

import { hostname } from "node:os";

import type { RedisState, SetAsideStore, StoreName } from "@sluice/queue/queue";
import type { RedisServerState } from "@sluice/queue/redis-server-state";
import { BUILD } from "@sluice/shared/runtime/build";
import type { ReadinessReport } from "@sluice/shared/runtime/health";
import type { Pool } from "@sluice/shared/runtime/process-metrics";
import type { Database } from "@sluice/store/connection/database";
import { readServerConnections } from "@sluice/store/connection/server-connections";
import { type PostgresServerState, readServerState } from "@sluice/store/connection/server-state";
import type { RelayFigures } from "@sluice/store/delivery/relay-figures";
import { readRetentionPeriods, readRetentionState } from "@sluice/store/delivery/retention-state";
import { type ListedProblem, listProblems } from "@sluice/store/operational/problems";
import type { TargetState } from "@sluice/store/schema";

import { askOnce } from "../../ask-once.ts";
import type { ShownSystem } from "./system-schema.ts";

export interface SystemReaders {
  db: Database;
  /** The connections of this gateway to PostgreSQL. */
  pools: Readonly<Record<string, Pool>>;
  publicUrl: string | undefined;
  startedAtMs: number;
  queueBackend: StoreName;
  redis: { state: RedisState; readServerState: () => Promise<RedisServerState | undefined> } | undefined;
  setAside: readonly SetAsideStore[];
  readReadiness: () => Promise<ReadinessReport>;
  readFigures: () => Promise<RelayFigures>;
  readQueueDepth: () => Promise<Partial<Record<StoreName, number | null>>>;
}

/** The clocks of a gateway and of PostgreSQL, read together. */
interface ClockReading {
  server: PostgresServerState;
  aheadMs: number;
  precisionMs: number;
}

const askOrUndefined = <T>(read: () => Promise<T>) => askOnce(read)();

export async function readSystem(readers: SystemReaders): Promise<ShownSystem> {
  const { db, redis, publicUrl, startedAtMs, queueBackend } = readers;
  const [report, reading, connections, figures, depth, setAside, periods, retention, listed, redisServer] =
    await Promise.all([
      readers.readReadiness(),
      askOrUndefined(() => readClocks(db)),
      askOrUndefined(() => readServerConnections(db)),
      askOrUndefined(readers.readFigures),
      askOrUndefined(readers.readQueueDepth),
      countSetAsideByStore(readers.setAside),
      askOrUndefined(() => readRetentionPeriods(db)),
      askOrUndefined(() => readRetentionState(db)),
      askOrUndefined(() => listProblems(db)),
      redis === undefined ? undefined : askOrUndefined(() => redis.readServerState()),
    ]);
  const { status, checks, problems } = report;
  const nowMs = Date.now();
  return {
    status,
    problems: joinProblems(problems, listed ?? []),
    gateway: {
      host: hostname(),
      started_at: new Date(startedAtMs).toISOString(),
      public_url: publicUrl ?? null,
    },
    versions: {
      sluice: BUILD.version,
      commit: BUILD.commit,
      schema: reading?.server.schema ?? null,
      node: process.versions.node,
      postgres: reading?.server.version ?? null,
      redis: redisServer?.version ? `${redisServer.product} ${redisServer.version}` : null,
    },
    stores: {
      postgres: {
        ok: checks["postgres"]?.ok === true,
        problem: problems.find(({ name }) => name === "postgres")?.problem ?? null,
        connections: { used: connections?.inUse ?? null, limit: connections?.usable ?? null },
        pools: Object.entries(readers.pools).map(([name, each]) => showPool(name, each)),
        database_bytes: reading?.server.databaseBytes ?? null,
      },
      redis: redis === undefined ? null : showRedis(redis.state, redisServer),
    },
    queue: {
      backend: queueBackend,
      takes: (checks["queue"]?.["takes"] as StoreName | null | undefined) ?? null,
      waiting_batches: depth ?? {},
      set_aside_events: setAside,
    },
    workers: figures?.workers ?? null,
    deliveries: showDeliveries(figures),
    targets: showTargets(figures),
    retention: {
      log_days: periods?.logDays ?? null,
      body_days: periods?.bodyDays ?? null,
      audit_days: periods?.auditDays ?? null,
      overdue_days: retention?.overdueDays ?? null,
      held_days: retention?.heldDays ?? null,
    },
    clock: {
      gateway: new Date(nowMs).toISOString(),
      postgres: reading === undefined ? null : new Date(nowMs - reading.aheadMs).toISOString(),
      ahead_ms: reading === undefined ? null : round(reading.aheadMs),
      precision_ms: reading === undefined ? null : round(reading.precisionMs),
    },
  };
}

/** PostgreSQL read its clock somewhere between the question and the answer. */
async function readClocks(db: Database): Promise<ClockReading> {
  // The first statement may open a connection, which would make the reading less exact.
  await db.pool.query("SELECT");
  // In this order, so that a pause of this process between the two counts as imprecision, and not as a clock that is off.
  const from = performance.now();
  const askedAtMs = Date.now();
  const server = await readServerState(db);
  const precisionMs = (performance.now() - from) / 2;
  return { server, aheadMs: askedAtMs + precisionMs - server.nowMs, precisionMs };
}

async function countSetAsideByStore(
  stores: readonly SetAsideStore[],
): Promise<Partial<Record<StoreName, number | null>>> {
  const counts = stores.map(async (each) => [each.store, (await askOrUndefined(() => each.count())) ?? null] as const);
  return Object.fromEntries(await Promise.all(counts));
}

/** A problem of this gateway is in the table too once it has lasted for seconds; the table knows since when. */
function joinProblems(own: ReadinessReport["problems"], listed: readonly ListedProblem[]): ShownSystem["problems"] {
  const isOwn = ({ app, name }: ListedProblem) => app === "gateway" && own.some((each) => each.name === name);
  const since = (name: string) => listed.find((each) => each.app === "gateway" && each.name === name)?.since;
  return [
    ...own.map(({ name, problem }) => ({
      app: "gateway" as const,
      check: name,
      problem,
      since: since(name)?.toISOString() ?? null,
    })),
    ...listed
      .filter((each) => !isOwn(each))
      .map(({ app, name, problem, since: at }) => ({ app, check: name, problem, since: at.toISOString() })),
  ];
}

const showPool = (name: string, { totalCount, idleCount, waitingCount, options }: Pool) => ({
  name,
  busy: Math.max(0, totalCount - idleCount),
  idle: idleCount,
  limit: options.max,
  waiting: waitingCount,
});

function showRedis(state: RedisState, server: RedisServerState | undefined): ShownSystem["stores"]["redis"] {
  return {
    ok: state.isWell,
    problems: state.problems,
    takes_jobs: state.takesJobs,
    durable: state.durable,
    append_only: server?.appendOnly ?? null,
    last_write_ok: server?.lastWriteOk ?? null,
    replicas: state.replicas,
    connections: { used: server?.connections ?? null, limit: server?.maxConnections ?? null },
    used_memory_bytes: server?.usedMemoryBytes ?? null,
    max_memory_bytes: server?.maxMemoryBytes ?? null,
  };
}

function showDeliveries(figures: RelayFigures | undefined): ShownSystem["deliveries"] {
  if (figures === undefined) return { waiting: null, oldest_waiting_seconds: null };
  const all = [...figures.targets.values()];
  return {
    waiting: all.reduce((sum, { waiting }) => sum + waiting, 0),
    oldest_waiting_seconds: Math.round(Math.max(0, ...all.map((each) => each.oldestWaitingSeconds))),
  };
}

function showTargets(figures: RelayFigures | undefined): ShownSystem["targets"] {
  const all = figures && [...figures.targets.values()];
  const sum = (valueOf: (each: NonNullable<typeof all>[number]) => number) =>
    all === undefined ? null : all.reduce((total, each) => total + valueOf(each), 0);
  const inState = (state: TargetState) => sum(({ states }) => states[state] ?? 0);
  return {
    enabled: inState("enabled"),
    paused: inState("paused"),
    disabled: inState("disabled"),
    disabled_due_to_failed_deliveries: inState("disabled_due_to_failed_deliveries"),
    breaker_open: sum(({ openBreakers }) => openBreakers),
  };
}

const round = (ms: number) => Math.round(ms * 10) / 10;
