// Tells that deliveries were given up: those of a target together, with their number and a few of them. The journal has each
// exhausted delivery once, so that each is counted once.

import { sql } from "drizzle-orm";

import { formatId } from "@sluice/shared/domain/ids";

import { type Connection, runPrepared } from "../connection/database.ts";
import { inIdRange } from "../log/id-range.ts";
import type { Told } from "./told.ts";
import { inUtc, OWN_SOURCES } from "./types.ts";

const SAMPLES = 5;

// One statement, so that what is gathered and the position in the journal are of one snapshot. The sub-selects of the
// position MUST stay: with constants the planner uses the index of the journal, as stats-count.ts says.
const GATHER = `
WITH named AS MATERIALIZED (
  SELECT (SELECT array_agg(id ORDER BY id) FROM unnest(c.exhausted_ids) AS id) AS ids FROM changes c
  WHERE c.xid >= (SELECT pg_snapshot_xmin(journal) FROM telling)
    AND NOT pg_visible_in_snapshot(c.xid, (SELECT journal FROM telling)) AND c.exhausted_ids IS NOT NULL
),
given_up AS (
  SELECT d.target_id, d.id, d.finished_at FROM named JOIN deliveries d ON d.id = ANY(named.ids) AND ${inIdRange("named.ids", "d.id")}
  WHERE d.source_id <> ALL ($1::uuid[])
),
moved AS (UPDATE telling SET journal = pg_current_snapshot())
INSERT INTO untold_exhausted AS u (target_id, deliveries, since, sample_ids)
SELECT target_id, count(*), min(coalesce(finished_at, now())), (array_agg(id ORDER BY id DESC))[1:${SAMPLES}]
FROM given_up GROUP BY target_id ORDER BY target_id
ON CONFLICT (target_id) DO UPDATE SET deliveries = u.deliveries + excluded.deliveries,
  sample_ids = (u.sample_ids || excluded.sample_ids)[1:${SAMPLES}]`;

/** A database that was restored from a dump may be of a cluster that has not come as far. Then the journal begins anew. */
const RESET = `
UPDATE telling SET journal = pg_current_snapshot()
WHERE pg_snapshot_xmax(journal) > pg_snapshot_xmax(pg_current_snapshot())`;

interface Untold extends Record<string, unknown> {
  target_id: string;
  name: string | null;
  deliveries: number;
  since: string;
  sample_ids: string[];
}

export async function tellExhausted(tx: Connection, told: Told): Promise<void> {
  await tx.orm.execute(sql.raw(RESET));
  await runPrepared(tx, { name: "gather-exhausted", text: GATHER, values: [OWN_SOURCES] });
  const untold = await runPrepared<Untold>(tx, {
    name: "read-untold-exhausted",
    text: `SELECT u.target_id, t.name, u.deliveries, ${inUtc("u.since")} AS since, u.sample_ids::text[] AS sample_ids
           FROM untold_exhausted u LEFT JOIN targets t ON t.id = u.target_id ORDER BY u.target_id`,
    values: [],
  });
  for (const { target_id: targetId, name, deliveries, since, sample_ids: ids } of untold) {
    const id = formatId("tgt", targetId);
    const isDone =
      name === null ||
      (await told.happened(tx, "sluice.deliveries.exhausted", targetId, {
        id,
        target: name,
        count: deliveries,
        since,
        samples: await readSamples(tx, ids),
      }));
    if (!isDone) continue;
    const forget = { name: "forget-exhausted", text: "DELETE FROM untold_exhausted WHERE target_id = $1" };
    await runPrepared(tx, { ...forget, values: [targetId] });
  }
}

interface Sample extends Record<string, unknown> {
  id: string;
  event_id: string;
  event_type: string | null;
  last_error: string | null;
  last_status_code: number | null;
}

async function readSamples(tx: Connection, ids: readonly string[]) {
  const rows = await runPrepared<Sample>(tx, {
    name: "read-exhausted",
    text: `SELECT id, event_id, event_type, last_error, last_status_code FROM deliveries
           WHERE id = ANY($1::uuid[]) AND ${inIdRange("$1::uuid[]")}`,
    values: [ids.toSorted()],
  });
  return rows.map((row) => ({
    delivery: formatId("dlv", row.id),
    event: formatId("evt", row.event_id),
    event_type: row.event_type,
    last_error: row.last_error,
    last_status_code: row.last_status_code,
  }));
}
