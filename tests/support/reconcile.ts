// The reconciler of one API key, which a test lets take one turn after the other, over a simulator of Gemini.

import { randomUUID } from "node:crypto";

import { onTestFinished } from "vitest";

import { SimulatorClock } from "@sluice/gemini-simulator/clock";
import type { SimulatorOptions } from "@sluice/gemini-simulator/simulator";
import { newId } from "@sluice/shared/domain/ids";
import type { GeminiJobKind } from "@sluice/shared/domain/job-ends";
import { openLog } from "@sluice/shared/runtime/log";
import { MasterKey } from "@sluice/shared/settings/master-key";
import { Secret } from "@sluice/shared/settings/secret";
import { listSourcesWithKey, setGeminiKey } from "@sluice/store/configuration/gemini-keys";
import {
  loadReconciliations,
  RECONCILE_DEFAULTS,
  type ReconcileSettings,
  setReconciliation,
} from "@sluice/store/configuration/reconciliation";
import { insertSource, SOURCE_DEFAULTS } from "@sluice/store/configuration/sources";
import type { Database } from "@sluice/store/connection/database";
import { expectJob, type JobRecord } from "@sluice/store/upstream/jobs";
import { settleSeenJobs, wantJobEnds } from "@sluice/store/upstream/jobs-ends";
import { claimJobReader, endJobTurn, type JobReader } from "@sluice/store/upstream/jobs-readers";
import { JOB_LEASE_MS, takeJobTurn } from "@sluice/worker/upstream/reconcile-turn";

import { readOperational } from "./operational.ts";
import { openSimulator, type TestSimulator } from "./gemini-simulator.ts";

/** The simulator's clock begins so long ago: everything that ended then is past its grace time. */
const AGO_MS = 3_600_000;

export interface TestReconciler {
  simulator: TestSimulator;
  /** The sources that share the key. The first is reconciled. */
  sourceIds: string[];
  /**
   * Takes a turn, in which the list is due unless it is not wanted.
   * @returns how many requests it made.
   */
  turn: (options?: { withoutList?: boolean; withFullList?: boolean; stopAfter?: number }) => Promise<number>;
  expect: (kind: GeminiJobKind, name: string, expectedAtMs?: number) => Promise<JobRecord>;
  jobs: () => Promise<JobRecord[]>;
  reader: () => Promise<JobReader>;
  /** The types and payloads of what was stored since the start, oldest first. */
  events: () => Promise<{ type: string; data: Record<string, unknown>; scheme: string }[]>;
}

export interface TestReconcilerOptions {
  settings?: Partial<ReconcileSettings>;
  sources?: number;
  requestsPerHour?: number;
  simulator?: SimulatorOptions;
}

export async function openReconciler(db: Database, options: TestReconcilerOptions = {}): Promise<TestReconciler> {
  const clock = new SimulatorClock({ startMs: Date.now() - AGO_MS, isStanding: true });
  const simulator = await openSimulator({ clock, ...options.simulator });
  const masterKey = new MasterKey(Buffer.alloc(32, 3));
  const key = new Secret(`key-${randomUUID()}`);
  const sourceIds: string[] = [];
  for (let made = 0; made < (options.sources ?? 1); made++) {
    const settings = { ...SOURCE_DEFAULTS, name: `jobs-${randomUUID()}`, schemes: ["v1a" as const] };
    const { id } = await insertSource(db, masterKey, settings, { kind: "dynamic" });
    await setGeminiKey(db, masterKey, id, key);
    sourceIds.push(id);
  }
  const [first = ""] = sourceIds;
  await setReconciliation(db, first, { ...RECONCILE_DEFAULTS, enabled: true, ...options.settings });
  const all = await listSourcesWithKey(db, masterKey, undefined);
  const sources = all.filter(({ sourceId }) => sourceIds.includes(sourceId));
  const keyId = sources[0]?.keyId ?? "";
  await wantJobEnds(db, keyId, sourceIds);
  await db.pool.query("UPDATE job_sources SET since = since - interval '1 hour' WHERE key_id = $1", [keyId]);
  const since = newId();
  const settings = await loadReconciliations(db);
  const workerId = newId();
  onTestFinished(async () => void (await db.pool.query("DELETE FROM sources WHERE id = ANY($1::uuid[])", [sourceIds])));

  const countRequests = () => Object.values(simulator.requests.counts()[key.reveal()] ?? {}).reduce((a, b) => a + b, 0);
  const turn: TestReconciler["turn"] = async ({ withoutList = false, withFullList = false, stopAfter } = {}) => {
    const before = countRequests();
    await db.pool.query(
      `UPDATE job_readers SET next_turn_at = now(), claimed_until = NULL,
         next_list_at = CASE WHEN $2 THEN now() + interval '1 day' ELSE now() END,
         next_full_list_at = CASE WHEN $3 THEN now() ELSE next_full_list_at END WHERE key_id = $1`,
      [keyId, withoutList, withFullList],
    );
    const reader = await claimJobReader(db, [keyId], workerId, JOB_LEASE_MS);
    if (reader === undefined) throw new Error("The reader of the key is not to be had");
    await settleSeenJobs(db, sourceIds, (id) => id);
    const stopping = new AbortController();
    if (stopAfter !== undefined) {
      const watch = setInterval(() => countRequests() - before >= stopAfter && stopping.abort(), 1);
      stopping.signal.addEventListener("abort", () => clearInterval(watch));
    }
    const { change } = reader.isPaused
      ? { change: {} }
      : await takeJobTurn({
          key: { keyId, key, sources, settings },
          reader: { ...reader, isListDue: !withoutList },
          hasRested: true,
          stopping: stopping.signal,
          db,
          masterKey,
          config: {
            GEMINI_API_KEY: undefined,
            GEMINI_BASE_URL: simulator.url,
            GEMINI_REQUESTS_PER_HOUR: options.requestsPerHour ?? 1_000_000,
            RETENTION_DAYS: 30,
          },
          workerId,
          wake: () => undefined,
          log: openLog("worker", "silent"),
        });
    stopping.abort();
    await endJobTurn(db, keyId, workerId, 0, change);
    return countRequests() - before;
  };
  const rows = async <Row extends object>(text: string, values: unknown[]) =>
    (await db.pool.query<Row>(text, values)).rows;
  return {
    simulator,
    sourceIds,
    turn,
    expect: async (kind, name, expectedAtMs = Date.now()) =>
      (await expectJob(db, { sourceId: first, kind, name, labels: { team: "a" }, expectedAtMs })).job,
    jobs: () =>
      rows<JobRecord>(
        `SELECT id, source_id AS "sourceId", kind, name, status, state, event_id AS "eventId", problem,
           expected_at AS "expectedAt", next_check_at AS "nextCheckAt" FROM jobs WHERE source_id = ANY($1::uuid[]) ORDER BY id`,
        [sourceIds],
      ),
    reader: async () => {
      const [reader] = await rows<JobReader>(
        `SELECT page_token AS "pageToken", paused_until AS "pausedUntil", failures, problem, listed_at AS "listedAt"
         FROM job_readers WHERE key_id = $1`,
        [keyId],
      );
      if (reader === undefined) throw new Error("There is no reader of the key");
      return reader;
    },
    events: async () => {
      const stored = await rows<{ type: string; body: Buffer; scheme: string }>(
        "SELECT type, body, scheme FROM events WHERE id > $1 ORDER BY id",
        [since],
      );
      return stored.map(({ type, body, scheme }) => {
        const read = type.startsWith("sluice.") ? readOperational(body) : JSON.parse(body.toString());
        return { type, scheme, ...read };
      });
    },
  };
}
