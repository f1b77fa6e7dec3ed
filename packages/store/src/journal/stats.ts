// Reads the figures for the API. A worker counts them every few seconds: see stats-count.ts.

import { namesOfType } from "@sluice/shared/domain/subscription";

import type { Database } from "../connection/database.ts";
import type { Resolution } from "../schema.ts";
import { LATENCY_BOUNDS_MS, latencyOfBucket } from "./latency.ts";

export const STATS_GROUPS = ["target", "source", "event_type", "none"] as const;
export type StatsGroup = (typeof STATS_GROUPS)[number];

export interface StatsQuery {
  groupBy: StatsGroup;
  resolution: Resolution;
  /** Puts the rows together to intervals of so many milliseconds. Undefined for those of the resolution itself. */
  lengthMs?: number | undefined;
  /** Milliseconds since 1970. Reads each interval that begins at `sinceMs` or later, and before `untilMs`. */
  sinceMs: number;
  untilMs: number;
  targetId?: string | undefined;
  sourceId?: string | undefined;
  /** A type under any of its names, or a pattern such as `batch.*` or `*`. */
  eventType?: string | undefined;
}

/** The figures of one group in one interval. A group whose figures are all zero has no row. */
export interface StatsRow {
  startMs: number;
  /** Null for events without a type, and for everything together. */
  group: string | null;
  events: number;
  deliveries: number;
  succeeded: number;
  exhausted: number;
  cancelled: number;
  retried: number;
  attemptsSucceeded: number;
  attemptsFailed: number;
  /** In milliseconds. Null without attempts. */
  latency: { p50: number; p90: number; p99: number } | null;
}

/**
 * The bits of PostgreSQL's grouping(target_id, source_id, event_type): a cut has the bit of each column it leaves out.
 */
const BITS: Record<StatsGroup, number> = { target: 4, source: 2, event_type: 1, none: 0 };
/** Everything together is summed up from the rows by source, which are few. */
const ALL_CUT = 0b111;
/** The cuts that `stats` has rows for. A query for another cut sums up rows of the finest cut. */
const KEPT_CUTS = [0b011, 0b101, 0b110, 0b001, 0b100, 0];
const COLUMNS: Record<StatsGroup, string> = {
  target: "target_id",
  source: "source_id",
  event_type: "event_type",
  none: "NULL::text",
};

const LENGTHS_MS: Record<Resolution, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

const COUNTS = [
  "events",
  "deliveries",
  "succeeded",
  "exhausted",
  "cancelled",
  "retried",
  "attempts_succeeded",
  "attempts_failed",
];

const percentile = (share: number) =>
  `width_bucket(ceil(${share} * latency[${LATENCY_BOUNDS_MS.length}])::integer - 1, latency)`;

/** @returns the rows in the order of intervals and groups. */
export async function readStats(db: Database, query: StatsQuery): Promise<StatsRow[]> {
  const { groupBy, resolution, lengthMs, sinceMs, untilMs, targetId, sourceId, eventType } = query;
  const isAnyType = eventType === undefined || eventType === "*";
  const names = isAnyType || eventType.endsWith(".*") ? null : namesOfType(eventType);
  const prefix = !isAnyType && names === null ? eventType.slice(0, -1) : null;
  let cut = 0b111 & ~BITS[groupBy];
  if (targetId !== undefined) cut &= ~BITS.target;
  if (sourceId !== undefined) cut &= ~BITS.source;
  if (!isAnyType) cut &= ~BITS.event_type;
  const isKept = KEPT_CUTS.includes(cut);
  const isBinned = (lengthMs ?? LENGTHS_MS[resolution]) !== LENGTHS_MS[resolution];
  // Then each row of the table is a row of the answer, and nothing has to be summed up.
  const isWhole = isKept && !isBinned && prefix === null && (names?.length ?? 1) === 1;
  if (!isKept) cut = cut === ALL_CUT ? ALL_CUT & ~BITS.source : 0;
  const sum = (column: string) => (isWhole ? column : `sum(${column})::integer`);
  // Sums each element by itself, which takes a tenth of the time of adding whole arrays.
  const latency = isWhole
    ? "latency"
    : `ARRAY[${LATENCY_BOUNDS_MS.map((_, at) => sum(`latency[${at + 1}]`)).join(", ")}]`;
  const { rows } = await db.pool.query<Record<string, string | number | null>>(
    `SELECT extract(epoch FROM start)::bigint AS start, key, ${COUNTS.join(", ")},
       ${percentile(0.5)} AS p50, ${percentile(0.9)} AS p90, ${percentile(0.99)} AS p99
     FROM (
       SELECT ${isBinned ? "date_bin($9::float8 * interval '1 ms', start, '2000-01-01Z')" : "start"} AS start, ${COLUMNS[groupBy]} AS key, ${COUNTS.map((column) => `${sum(column)} AS ${column}`).join(", ")},
         ${latency} AS latency
       FROM stats
       WHERE resolution = $1 AND cut = $2 AND start >= to_timestamp($3::float8 / 1000) AND start < to_timestamp($4::float8 / 1000)
         AND ($5::uuid IS NULL OR target_id = $5) AND ($6::uuid IS NULL OR source_id = $6)
         AND ($7::text[] IS NULL OR event_type = ANY($7)) AND ($8::text IS NULL OR starts_with(event_type, $8))
         ${groupBy === "target" ? "AND target_id IS NOT NULL" : ""}
       ${isWhole ? "" : "GROUP BY 1, 2"}
     ) AS groups ORDER BY start, key`,
    [
      resolution,
      cut,
      sinceMs,
      untilMs,
      targetId ?? null,
      sourceId ?? null,
      names,
      prefix,
      ...(isBinned ? [lengthMs] : []),
    ],
  );
  return rows.map((row) => ({
    startMs: Number(row["start"]) * 1000,
    group: (row["key"] ?? null) as string | null,
    events: Number(row["events"]),
    deliveries: Number(row["deliveries"]),
    succeeded: Number(row["succeeded"]),
    exhausted: Number(row["exhausted"]),
    cancelled: Number(row["cancelled"]),
    retried: Number(row["retried"]),
    attemptsSucceeded: Number(row["attempts_succeeded"]),
    attemptsFailed: Number(row["attempts_failed"]),
    latency:
      (row["p50"] ?? null) === null
        ? null
        : {
            p50: latencyOfBucket(Number(row["p50"])),
            p90: latencyOfBucket(Number(row["p90"])),
            p99: latencyOfBucket(Number(row["p99"])),
          },
  }));
}

export interface WaitingFigures {
  targetId: string;
  count: number;
  /** The minute in which the oldest pending delivery was made. */
  oldestSince: Date;
}

/** Counts the pending deliveries of each target that has some. @param targetId all targets when undefined. */
export async function readWaiting(db: Database, targetId?: string): Promise<WaitingFigures[]> {
  const { rows } = await db.pool.query<{ target_id: string; count: string; oldest: Date }>(
    `SELECT target_id, sum(waiting) AS count, min(since) AS oldest FROM stats_waiting
     WHERE $1::uuid IS NULL OR target_id = $1 GROUP BY target_id HAVING sum(waiting) > 0 ORDER BY target_id`,
    [targetId ?? null],
  );
  return rows.map((row) => ({ targetId: row.target_id, count: Number(row.count), oldestSince: row.oldest }));
}
