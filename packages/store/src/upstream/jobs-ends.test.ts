// One event tells of the end of a job: its webhook, or the event that the relay makes in its place. Both are stored at any
// moment and in any order, and never both.

import { randomUUID } from "node:crypto";

import { MasterKey } from "@sluice/shared/settings/master-key";
import { drizzle } from "drizzle-orm/node-postgres";
import { describe, expect } from "vitest";

import { type TestDatabase, test } from "../../../../tests/support/database.ts";
import { makeDelivery, makeEvent, newLease, seedTarget } from "../../../../tests/support/seed.ts";
import type { Database } from "../connection/database.ts";
import { readRevision } from "../connection/configuration-revision.ts";
import { type NewEvent, storeEvents } from "../delivery/store-events.ts";
import { storeMatched } from "../delivery/store-matched.ts";
import { insertSource, SOURCE_DEFAULTS } from "../configuration/sources.ts";
import { concludeJob } from "./jobs-conclude.ts";
import { expectJob, getJob, type JobRecord } from "./jobs.ts";
import { settleSeenJobs, wantJobEnds } from "./jobs-ends.ts";

const masterKey = new MasterKey(Buffer.alloc(32, 7));

async function addSource(db: Database, keyId: string | null): Promise<string> {
  const settings = { ...SOURCE_DEFAULTS, name: `s-${randomUUID()}`, schemes: ["v1a" as const] };
  const { id } = await insertSource(db, masterKey, settings, { kind: "dynamic" });
  if (keyId !== null) {
    await wantJobEnds(db, keyId, [id]);
    await db.pool.query("UPDATE job_sources SET since = now() - interval '1 day' WHERE source_id = $1", [id]);
  }
  return id;
}

/** A batch that has succeeded, as the relay knows it. */
async function addEndedJob(db: Database, sourceId: string, bare: string = randomUUID()): Promise<JobRecord> {
  const expected = {
    sourceId,
    kind: "batch" as const,
    name: `batches/${bare}`,
    labels: null,
    expectedAtMs: Date.now(),
  };
  const { job } = await expectJob(db, expected);
  await db.pool.query("UPDATE jobs SET state = 'succeeded', ended_at = now(), end_data = '{}' WHERE id = $1", [job.id]);
  return job;
}

const webhookOf = (job: JobRecord, changes: Partial<NewEvent> = {}): NewEvent =>
  makeEvent({ sourceId: job.sourceId, type: "batch.succeeded", dataId: job.name, ...changes });

async function store(db: Database, events: readonly NewEvent[], targetId?: string) {
  const deliveries = targetId === undefined ? [] : events.map((event) => makeDelivery(event, targetId));
  const result = await storeEvents(db, await readRevision(db, "targets"), events, deliveries, newLease());
  if (result.kind !== "stored") throw new Error("The targets changed meanwhile");
  return result;
}

const conclude = (db: Database, job: JobRecord, sourceIds: readonly string[] = [job.sourceId]) =>
  concludeJob(db, { job, sourceIds, sourceName: "source" });

async function readEvents({ db }: TestDatabase, job: JobRecord) {
  const { rows } = await db.pool.query<{ id: string; scheme: string }>(
    "SELECT id, scheme FROM events WHERE regexp_replace(data_id, '^.*/', '') = $1",
    [job.jobId],
  );
  return rows;
}

describe("a webhook that comes", () => {
  test("late, under any name of the job and of the type, is a duplicate and makes no delivery", async ({
    database,
  }) => {
    const { db } = database;
    const targetId = await seedTarget(db);
    const job = await addEndedJob(db, await addSource(db, "key-late"));
    expect(await conclude(db, job)).toMatchObject({ kind: "reconciled", targetIds: [targetId] });
    const late = [
      webhookOf(job),
      webhookOf(job, { dataId: job.jobId }),
      webhookOf(job, { type: "batch.completed", dataId: job.jobId }),
    ];
    const other = webhookOf(job, { type: "batch.failed" });
    const result = await store(db, [...late, other], targetId);
    expect(result.lateEventIds).toEqual(new Set(late.map(({ id }) => id)));
    expect(result.freshEventIds).toEqual(new Set([other.id]));
    const { rows } = await db.pool.query("SELECT scheme FROM events WHERE source_id = $1 ORDER BY id", [job.sourceId]);
    expect(rows.map((row: { scheme: string }) => row.scheme).toSorted()).toEqual(["reconciled", "v1"]);
    const { rowCount } = await db.pool.query("SELECT FROM deliveries WHERE source_id = $1", [job.sourceId]);
    expect(rowCount).toBe(2);
  });

  test("late by another source that shares the key is a duplicate; by one that does not, it is an event", async ({
    database: { db },
  }) => {
    const [own, sharing, foreign] = [
      await addSource(db, "key-a"),
      await addSource(db, "key-a"),
      await addSource(db, "key-b"),
    ];
    const job = await addEndedJob(db, own);
    expect(await conclude(db, job, [own, sharing])).toMatchObject({ kind: "reconciled" });
    const [bySharing, byForeign] = [webhookOf(job, { sourceId: sharing }), webhookOf(job, { sourceId: foreign })];
    const result = await store(db, [bySharing, byForeign]);
    expect(result.lateEventIds).toEqual(new Set([bySharing.id]));
    expect(result.freshEventIds).toEqual(new Set([byForeign.id]));
  });

  test("in time keeps the relay from making an event, whichever sharing source it came by, also before they were reconciled", async ({
    database,
  }) => {
    const { db } = database;
    for (const isReconciled of [true, false]) {
      const [own, sharing] = [await addSource(db, "key-c"), await addSource(db, isReconciled ? "key-c" : null)];
      const job = await addEndedJob(db, own);
      const event = webhookOf(job, { sourceId: sharing, type: "batch.completed", dataId: job.jobId });
      await store(db, [event]);
      expect(await conclude(db, job, [own, sharing])).toEqual({ kind: "seen" });
      expect(await getJob(db, job.id)).toMatchObject({ status: "seen", eventId: event.id, state: "succeeded" });
      expect(await readEvents(database, job)).toHaveLength(1);
      // The claim of the relay is taken back: a retry under another id is an event, as without the reconciliation.
      expect((await store(db, [webhookOf(job)])).lateEventIds.size).toBe(0);
    }
  });

  test("while the relay makes the event is stored once: one of the two wins", async ({ database }) => {
    const { db } = database;
    const sourceId = await addSource(db, "key-race");
    const jobs = await Promise.all(Array.from({ length: 40 }, () => addEndedJob(db, sourceId)));
    const events = jobs.map((job) => webhookOf(job));
    // Intake stores some of the same jobs in one statement, in another order than the relay concludes them.
    const stored = [
      store(db, events.slice(0, 20).toReversed()),
      ...events.slice(20).map((event) => store(db, [event])),
    ];
    const [concluded] = await Promise.all([Promise.all(jobs.map((job) => conclude(db, job))), Promise.all(stored)]);
    for (const [index, job] of jobs.entries()) {
      const found = await readEvents(database, job);
      expect(found).toHaveLength(1);
      expect(found[0]?.scheme).toBe(concluded[index]?.kind === "reconciled" ? "reconciled" : "v1");
    }
  });

  test("while intake is about to commit is waited for", async ({ database }) => {
    const { db } = database;
    const job = await addEndedJob(db, await addSource(db, "key-wait"));
    const event = webhookOf(job);
    const client = await db.pool.connect();
    try {
      const orm = drizzle(client);
      let concluding: ReturnType<typeof conclude> | undefined;
      await orm.transaction(async (tx) => {
        await storeEvents({ orm: tx }, null, [event], [], newLease());
        concluding = conclude(db, job);
        // It has entered nothing, and waits for this transaction.
        await expect
          .poll(async () => (await db.pool.query("SELECT FROM pg_locks WHERE NOT granted")).rowCount)
          .toBeGreaterThan(0);
      });
      expect(await concluding).toEqual({ kind: "seen" });
    } finally {
      client.release();
    }
    expect(await readEvents(database, job)).toMatchObject([{ id: event.id }]);
  });

  test("by POST /v1/events late is a duplicate of the event that was made", async ({ database: { db } }) => {
    const job = await addEndedJob(db, await addSource(db, "key-injected"));
    await conclude(db, job);
    const made = (await getJob(db, job.id))?.eventId;
    const stored = await db.orm.transaction((orm) =>
      storeMatched({ orm }, webhookOf(job, { scheme: "api" }), "source"),
    );
    expect(stored).toEqual({ kind: "duplicate", eventId: made });
  });

  test("for a source that is not reconciled leaves no trace in the ledger", async ({ database: { db } }) => {
    const sourceId = await addSource(db, null);
    await store(db, [makeEvent({ sourceId, dataId: "batches/abc" })]);
    expect((await db.pool.query("SELECT FROM job_ends WHERE source_id = $1", [sourceId])).rowCount).toBe(0);
  });
});

describe("a job", () => {
  test("is concluded once by any number of workers, under an id that follows from its end", async ({ database }) => {
    const { db } = database;
    const job = await addEndedJob(db, await addSource(db, "key-once"));
    const results = await Promise.all([conclude(db, job), conclude(db, job), conclude(db, job)]);
    expect(results.map(({ kind }) => kind).toSorted()).toEqual(["closed", "closed", "reconciled"]);
    const [event] = await readEvents(database, job);
    const { rows } = await db.pool.query<{ webhook_id: string; body: Buffer }>(
      "SELECT webhook_id, body FROM events WHERE id = $1",
      [event?.id],
    );
    expect(rows[0]?.webhook_id).toMatch(/^reconciled_[0-9a-f]{32}$/);
    expect(JSON.parse(rows[0]?.body.toString() ?? "")).toEqual({
      type: "batch.succeeded",
      version: "v1",
      timestamp: expect.any(String),
      data: { id: job.jobId },
    });
    expect(await getJob(db, job.id)).toMatchObject({ status: "reconciled", eventId: event?.id, nextCheckAt: null });
  });

  test("becomes seen by the ledger, and one without a name by the label of its callback URL", async ({
    database: { db },
  }) => {
    const sourceId = await addSource(db, "key-settle");
    const announce = async (name: string | null) =>
      (await expectJob(db, { sourceId, kind: "interaction", name, labels: null, expectedAtMs: Date.now() })).job;
    const [named, nameless, waiting] = [await announce("v1_named"), await announce(null), await announce("v1_waiting")];
    const end = { sourceId, type: "interaction.completed" };
    const events = [
      makeEvent({ ...end, dataId: "v1_named" }),
      makeEvent({ ...end, dataId: "v1_other", labels: { sluice_job: `label of ${nameless.id}` } }),
      // No end, so that nobody has seen one.
      makeEvent({ ...end, type: "interaction.requires_action", dataId: "v1_waiting" }),
    ];
    await store(db, events);
    expect(await settleSeenJobs(db, [sourceId], (id) => `label of ${id}`)).toBe(2);
    expect(await getJob(db, named.id)).toMatchObject({ status: "seen", eventId: events[0]?.id, state: "completed" });
    expect(await getJob(db, nameless.id)).toMatchObject({ status: "seen", eventId: events[1]?.id, jobId: "v1_other" });
    expect(await getJob(db, waiting.id)).toMatchObject({ status: "waiting" });
  });

  test("is not concluded for sources that intake has entered for a moment only", async ({ database: { db } }) => {
    const sourceId = await addSource(db, null);
    expect(await wantJobEnds(db, "key-rest", [sourceId])).toBe(false);
    await db.pool.query("UPDATE job_sources SET since = since - interval '2 minutes' WHERE source_id = $1", [sourceId]);
    expect(await wantJobEnds(db, "key-rest", [sourceId])).toBe(true);
    // A source that begins to share the key has to rest too.
    expect(await wantJobEnds(db, "key-rest", [sourceId, await addSource(db, null)])).toBe(false);
  });
});
