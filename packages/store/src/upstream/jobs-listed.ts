// What a list of batches adds to the table of jobs. Rows are written only for what is new or has changed: most batches of a
// list have ended long ago, and were told of.

import { newId } from "@sluice/shared/domain/ids";
import { bareJobId, findJobEnd, type JobReading } from "@sluice/shared/domain/job-ends";

import { type Database } from "../connection/database.ts";
import type { JobStatus } from "../schema.ts";
import { type EndEvent, findEndEvents } from "./jobs-ends.ts";

/** Google's target for a batch is 24 hours ("Batch API", ai.google.dev): one that takes longer is overdue. */
const BATCH_EXPECTED_MS = 86_400_000;

export interface ListedBatches {
  readings: readonly JobReading[];
  /** All sources that share the key of the list. */
  sourceIds: readonly string[];
  /** The source of a batch that nobody announced. */
  ownerId: string;
  graceMs: number;
  /** When a batch that runs is looked at again. */
  againMs: number;
}

export interface NotedBatches {
  /** How many the relay had not known. */
  fresh: number;
  /** How many have ended, without an event so far. */
  unseen: number;
}

interface KnownRow extends Record<string, unknown> {
  id: string;
  name: string;
  status: JobStatus;
  state: string | null;
  ended: boolean;
}

interface NotedRow {
  id: string;
  reading: JobReading;
  endedAtMs: number | null;
  event: EndEvent | undefined;
  nextInMs: number | null;
}

export async function noteListedBatches(db: Database, listed: ListedBatches): Promise<NotedBatches> {
  const { readings, sourceIds } = listed;
  const { rows } = await db.pool.query<KnownRow>({
    name: "find-listed-batches",
    text: `SELECT id, name, status, state, ended_at IS NOT NULL AS ended FROM jobs
           WHERE source_id = ANY($1::uuid[]) AND kind = 'batch' AND name = ANY($2::text[])`,
    values: [sourceIds, readings.map(({ name }) => name)],
  });
  // A batch is announced for one source, and listed for the owner only when nobody announced it.
  const known = new Map(rows.map((row) => [row.name, row]));
  const isOpenRow = (row: KnownRow | undefined) => row?.status === "waiting" || row?.status === "overdue";
  const changed = readings.filter(({ name }) => {
    const row = known.get(name);
    return row === undefined || (isOpenRow(row) && !row.ended);
  });
  const ended = changed.filter(({ state }) => findJobEnd("batch", state) !== undefined);
  const events = await findEndEvents(
    db,
    sourceIds,
    ended.map(({ name, startedAtMs = 0 }) => ({ kind: "batch" as const, name, sinceMs: startedAtMs })),
  );
  const notes = changed.map((reading) =>
    toNote(reading, known.get(reading.name)?.id, events.get(reading.name), listed),
  );
  await writeNotes(db, notes, listed.ownerId);
  return {
    fresh: readings.filter(({ name }) => !known.has(name)).length,
    unseen: notes.filter(({ endedAtMs, event }) => endedAtMs !== null && event === undefined).length,
  };
}

function toNote(
  reading: JobReading,
  knownId: string | undefined,
  event: EndEvent | undefined,
  { graceMs, againMs }: ListedBatches,
): NotedRow {
  const isEnded = findJobEnd("batch", reading.state) !== undefined;
  // Without a time of its own, the end is at most as old as the look at it.
  const endedAtMs = isEnded ? (reading.endedAtMs ?? Date.now()) : null;
  const nextInMs =
    event !== undefined ? null : endedAtMs === null ? againMs : Math.max(0, endedAtMs + graceMs - Date.now());
  return { id: knownId ?? newId(), reading, endedAtMs, event, nextInMs };
}

const toDate = (ms: number | null | undefined) => (ms === null || ms === undefined ? null : new Date(ms));

async function writeNotes(db: Database, notes: readonly NotedRow[], ownerId: string): Promise<void> {
  if (notes.length === 0) return;
  await db.pool.query({
    name: "note-listed-batches",
    // Another worker, or a caller who announces the batch, may have made the row meanwhile: the next look finds it.
    text: `INSERT INTO jobs AS known (id, source_id, kind, name, job_id, status, state, started_at, expected_at, ended_at,
             end_data, event_id, checked_at, next_check_at)
           SELECT id, $1, 'batch', name, job_id, CASE WHEN event_id IS NULL THEN 'waiting' ELSE 'seen' END, state, started_at,
             expected_at, ended_at, end_data, event_id, now(), now() + next_in_ms * interval '1 ms'
           FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
             $8::timestamptz[], $9::jsonb[], $10::uuid[], $11::float8[])
             AS t(id, name, job_id, state, started_at, expected_at, ended_at, end_data, event_id, next_in_ms)
           ORDER BY name
           ON CONFLICT (id) DO UPDATE SET state = excluded.state, started_at = excluded.started_at,
             ended_at = excluded.ended_at, end_data = excluded.end_data, event_id = excluded.event_id,
             status = CASE WHEN excluded.event_id IS NULL THEN known.status ELSE 'seen' END,
             checked_at = now(), problem = NULL, next_check_at = excluded.next_check_at
           WHERE known.status IN ('waiting', 'overdue')`,
    values: [
      ownerId,
      notes.map(({ id }) => id),
      notes.map(({ reading }) => reading.name),
      notes.map(({ reading }) => bareJobId(reading.name)),
      notes.map(({ reading, event }) => event?.state ?? reading.state),
      notes.map(({ reading }) => toDate(reading.startedAtMs)),
      notes.map(({ reading }) => toDate((reading.startedAtMs ?? Date.now()) + BATCH_EXPECTED_MS)),
      notes.map(({ endedAtMs }) => toDate(endedAtMs)),
      notes.map(({ endedAtMs, reading }) => (endedAtMs === null ? null : JSON.stringify(reading.data))),
      notes.map(({ event }) => event?.eventId ?? null),
      notes.map(({ nextInMs }) => nextInMs),
    ],
  });
}
