// Tells that a source is failing: many of its requests are refused, or no event has come for longer than it expects. Its end is
// not told, but only after its end the next beginning is.

import { formatId, idFloor } from "@sluice/shared/domain/ids";

import { type Connection, runPrepared } from "../connection/database.ts";
import type { Told } from "./told.ts";
import { inUtc } from "./types.ts";

const FAILING = "sluice.source.failing";

/** The time over which refusals are counted, which docs/settings.md names. */
const WINDOW_SECONDS = 600;

interface Failing {
  name: string;
  refusals?: { count: number; window_seconds: number; reasons: Record<string, number> };
  silence?: { expect_every_seconds: number; last_event_at: string | null };
}

/** @param maxRefusals the number of refusals in ten minutes that is too many; 0 for never. */
export async function tellSources(tx: Connection, told: Told, maxRefusals: number): Promise<void> {
  const failing = new Map<string, Failing>();
  if (maxRefusals > 0) await findRefused(tx, maxRefusals, failing);
  await findSilent(tx, failing);
  for (const id of told.listOpen(FAILING)) if (!failing.has(id)) await told.close(tx, FAILING, id);
  for (const [id, { name, refusals, silence }] of failing) {
    const data = { id: formatId("src", id), source: name, refusals: refusals ?? null, silence: silence ?? null };
    await told.begin(tx, FAILING, id, null, data);
  }
}

async function findRefused(tx: Connection, maxRefusals: number, failing: Map<string, Failing>): Promise<void> {
  const rows = await runPrepared<{ id: string; name: string; reasons: Record<string, number>; count: number }>(tx, {
    name: "find-refused-sources",
    text: `SELECT s.id, s.name, jsonb_object_agg(r.reason, r.requests) AS reasons, sum(r.requests)::float8 AS count
           FROM (SELECT source_id, reason, sum(weight) AS requests FROM rejections
                 WHERE id >= $1::uuid AND created_at > now() - $2::float8 * interval '1 s' GROUP BY source_id, reason) r
           JOIN sources s ON s.id = r.source_id
           GROUP BY s.id, s.name HAVING sum(r.requests) >= $3::float8`,
    // Ids are made by the clocks of gateways, so the time that PostgreSQL compares decides.
    values: [idFloor(Date.now() - 2 * WINDOW_SECONDS * 1000), WINDOW_SECONDS, maxRefusals],
  });
  for (const { id, name, reasons, count } of rows)
    failing.set(id, { name, refusals: { count, window_seconds: WINDOW_SECONDS, reasons } });
}

async function findSilent(tx: Connection, failing: Map<string, Failing>): Promise<void> {
  const rows = await runPrepared<{ id: string; name: string; expected: number; last_event_at: string | null }>(tx, {
    name: "find-silent-sources",
    text: `SELECT s.id, s.name, s.expect_every_seconds AS expected, ${inUtc("e.received_at")} AS last_event_at
           FROM sources s LEFT JOIN LATERAL (
             SELECT received_at FROM events WHERE source_id = s.id ORDER BY id DESC LIMIT 1
           ) e ON true
           WHERE s.expect_every_seconds IS NOT NULL
             AND coalesce(e.received_at, s.created_at) <= now() - s.expect_every_seconds * interval '1 s'`,
    values: [],
  });
  for (const { id, name, expected, last_event_at: at } of rows) {
    const silence = { expect_every_seconds: expected, last_event_at: at };
    failing.set(id, { ...failing.get(id), name, silence });
  }
}
