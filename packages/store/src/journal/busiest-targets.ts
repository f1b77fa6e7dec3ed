// Which targets get a series of their own in the metrics: all of them while they are few, and otherwise the busiest.
// Gateways and workers choose by the same figures, so that their series have the same targets.

import { and, asc, desc, eq, gte, inArray, isNotNull, notInArray, sql } from "drizzle-orm";

import type { Connection } from "../connection/database.ts";
import { stats, targets } from "../schema.ts";

/** A series for each of thousands of targets would cost Prometheus more than the relay. */
export const MAX_NAMED_TARGETS = 200;
/** The label of all targets that have no series of their own. */
export const OTHER_TARGETS = "_other";
/** `grouping(target_id, source_id, event_type)` of the rows that have only the target. */
const BY_TARGET = 0b011;

/**
 * The ids of the targets with most deliveries and attempts, today and yesterday in UTC. Reads two rows of `stats` for
 * each target by the index: call it every few minutes, and only when there are more targets than get a name.
 */
export async function listBusiestTargets(db: Connection): Promise<string[]> {
  const work = sql`sum(${stats.deliveries} + ${stats.attemptsSucceeded} + ${stats.attemptsFailed})`;
  const busy = await db.orm
    .select({ id: stats.targetId })
    .from(stats)
    .where(
      and(
        eq(stats.resolution, "day"),
        eq(stats.cut, BY_TARGET),
        gte(stats.start, sql`date_trunc('day', now(), 'UTC') - interval '1 day'`),
        isNotNull(stats.targetId),
      ),
    )
    .groupBy(stats.targetId)
    .orderBy(desc(work), asc(stats.targetId))
    // Some of them may be deleted. A join would be one of two long lists, which the plans of a worker make slowly.
    .limit(2 * MAX_NAMED_TARGETS);
  const ranked = busy.flatMap(({ id }) => id ?? []);
  const found = await db.orm.select({ id: targets.id }).from(targets).where(inArray(targets.id, ranked));
  const existing = new Set(found.map(({ id }) => id));
  const busiest = ranked.filter((id) => existing.has(id)).slice(0, MAX_NAMED_TARGETS);
  const quiet = await db.orm
    .select({ id: targets.id })
    .from(targets)
    .where(notInArray(targets.id, busiest))
    .orderBy(asc(targets.id))
    .limit(MAX_NAMED_TARGETS - busiest.length);
  return [...busiest, ...quiet.map(({ id }) => id)];
}
