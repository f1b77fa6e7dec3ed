// Removes the bodies that are past BODY_RETENTION_DAYS, in short transactions. It goes through the events once, in the order of
// their ids, and remembers in `kept_bodies` what it left behind: an event with an unfinished delivery keeps its body until that
// delivery ends, and an event can be stored long after the time in its id.

import { sql } from "drizzle-orm";

import { idFloor, idTime } from "@sluice/shared/domain/ids";

import { type Connection, type Database, runPrepared } from "../connection/database.ts";
import { bodyRetention, keptBodies } from "../schema.ts";
import { HAS_UNFINISHED, lockBodies, removeBodies } from "./removed-bodies.ts";

/** The most events of one transaction, and the most bytes of their bodies, unless one body is larger. */
const BATCH = 500;
const MAX_BYTES = 16 * 1024 * 1024;
/** How often the bodies are looked at again that were kept. */
const VISIT_EVERY = "1 hour";
/** An event that is stored so long after the time in its id is noted: the removal may have gone past it. Half of the least BODY_RETENTION_DAYS. */
const LATE_MS = 12 * 3_600_000;

/** What one transaction did. `hasMore` says that there is more to do at once. */
export interface RemovedBodies {
  removed: number;
  hasMore: boolean;
}

/**
 * Removes the next bodies of events from before an instant, in milliseconds since 1970. While another worker does it, this does
 * nothing.
 */
export async function removePastBodies(db: Database, beforeMs: number): Promise<RemovedBodies> {
  return db.orm.transaction(async (orm): Promise<RemovedBodies> => {
    const tx = { orm };
    const [state] = await orm
      .select({
        reached: bodyRetention.reached,
        revisited: bodyRetention.revisited,
        visitIsDue: sql<boolean>`${bodyRetention.nextVisitAt} <= now()`,
      })
      .from(bodyRetention)
      .for("update", { skipLocked: true });
    if (state === undefined) return { removed: 0, hasMore: false };
    await lockBodies(tx);
    const before = idFloor(beforeMs);
    const fresh = await readNextBodies(tx, NEXT, [state.reached, before, BATCH]);
    if (fresh.length > 0) {
      const kept = fresh.filter(({ isUnfinished }) => isUnfinished).map(({ id }) => ({ eventId: id }));
      if (kept.length > 0) await orm.insert(keptBodies).values(kept).onConflictDoNothing();
      await orm.update(bodyRetention).set({ reached: fresh.at(-1)?.id ?? state.reached });
      return { removed: await removeFinished(tx, fresh), hasMore: true };
    }
    if (!state.visitIsDue) return { removed: 0, hasMore: false };
    return visitKept(tx, state.revisited, before);
  });
}

/** Looks again at bodies that were kept. After the last one, the next visit begins at the first, in an hour. */
async function visitKept(tx: Connection, from: string, before: string): Promise<RemovedBodies> {
  const kept = await readNextBodies(tx, KEPT, [from, before, BATCH]);
  const last = kept.at(-1)?.id;
  if (last === undefined) {
    await tx.orm
      .update(bodyRetention)
      .set({ revisited: idFloor(0), nextVisitAt: sql`now() + ${sql.raw(`interval '${VISIT_EVERY}'`)}` });
    return { removed: 0, hasMore: false };
  }
  await tx.orm.update(bodyRetention).set({ revisited: last });
  const removed = await removeFinished(tx, kept);
  const done = kept.filter(({ isUnfinished }) => !isUnfinished).map(({ id }) => id);
  await tx.orm.delete(keptBodies).where(sql`${keptBodies.eventId} = ANY(${sql.param(done)}::uuid[])`);
  return { removed, hasMore: true };
}

/**
 * Notes the events that are stored long after the time in their ids. MUST come before they are stored: a note without its event
 * does no harm, and an event without its note would keep its body.
 */
export async function noteLateEvents(on: Database | Connection, ids: readonly string[]): Promise<void> {
  const lateBeforeMs = Date.now() - LATE_MS;
  const late = ids.filter((id) => idTime(id) < lateBeforeMs);
  if (late.length === 0) return;
  await on.orm
    .insert(keptBodies)
    .values(late.map((eventId) => ({ eventId })))
    .onConflictDoNothing();
}

interface FoundBody {
  id: string;
  isUnfinished: boolean;
}

// OFFSET 0 in both: the deliveries are looked up for the events of the batch only.
const NEXT = {
  name: "next-bodies",
  text: `SELECT e.id, e.bytes, ${HAS_UNFINISHED} AS is_unfinished FROM (
           SELECT id, octet_length(body) AS bytes FROM events WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3 OFFSET 0
         ) e ORDER BY e.id`,
};
const KEPT = {
  name: "kept-bodies",
  text: `SELECT e.id, coalesce((SELECT octet_length(body) FROM events WHERE id = e.id), 0) AS bytes, ${HAS_UNFINISHED} AS is_unfinished
         FROM (SELECT event_id AS id FROM kept_bodies WHERE event_id > $1 AND event_id < $2 ORDER BY event_id LIMIT $3 OFFSET 0) e
         ORDER BY e.id`,
};

/** Reads the next events of a walk, and no more than fit. */
async function readNextBodies(tx: Connection, statement: typeof NEXT, values: unknown[]): Promise<FoundBody[]> {
  const rows = await runPrepared<{ id: string; bytes: number; is_unfinished: boolean }>(tx, { ...statement, values });
  let bytes = 0;
  const end = rows.findIndex((row) => (bytes += row.bytes) > MAX_BYTES);
  const fitting = end === -1 ? rows : rows.slice(0, Math.max(1, end));
  return fitting.map((row) => ({ id: row.id, isUnfinished: row.is_unfinished }));
}

async function removeFinished(tx: Connection, found: readonly FoundBody[]): Promise<number> {
  const ids = found.filter(({ isUnfinished }) => !isUnfinished).map(({ id }) => id);
  return ids.length === 0 ? 0 : removeBodies(tx, ids, "retention");
}
