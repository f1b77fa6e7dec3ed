// /v1/stats: how many events, deliveries and attempts there were in each interval, and how many deliveries wait now.
// The worker keeps these figures, so an answer costs the same however large the log is.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import type { Producer } from "@sluice/queue/queue";
import { exampleId, type IdPrefix, formatId } from "@sluice/shared/domain/ids";
import type { Database } from "@sluice/store/connection/database";
import { readStats, readWaiting, STATS_GROUPS, type StatsGroup, type StatsRow } from "@sluice/store/journal/stats";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { problems } from "../http/problems.ts";
import { idField, jsonAnswer } from "../openapi/endpoint.ts";
import { deliveryParameters, readFilterId, readSource, timeParameters } from "./filter-parameters.ts";
import { intervalParameter, MAX_INTERVALS, readIntervals } from "./stats-interval.ts";

export interface StatsDependencies {
  db: Database;
  /** The number of intake jobs in each store of the queue; see `Producer.depth`. */
  readQueueDepth: () => ReturnType<Producer["depth"]>;
}

const countField = (description: string, example = 0) => z.int().openapi({ description, example });

const rowSchema = z
  .object({
    start: z.string().openapi({ format: "date-time", description: "The start of the interval, in UTC" }),
    group: z
      .string()
      .nullable()
      .openapi({
        description:
          "The id of a target or source, or an event type. Null for events whose body names no type, and where `group_by` is `none`.",
        example: exampleId("tgt"),
      }),
    events: z
      .int()
      .nullable()
      .openapi({
        description:
          "The number of stored events, by the time at which they were received. Null in figures of a target, " +
          "because an event belongs to no target.",
        example: null,
      }),
    deliveries: z
      .object({
        created: countField("New deliveries: one for each event and target that it goes to", 12),
        succeeded: countField("Deliveries that an attempt finished successfully", 12),
        exhausted: countField("Deliveries that were given up at their deadline"),
        cancelled: countField("Deliveries that were cancelled by hand, or because their target was deleted"),
        retried: countField(
          "Deliveries that were retried by hand. Each may be counted as finished a second time later.",
        ),
      })
      .openapi({ description: "Numbers of deliveries, by the time at which each change was written" }),
    attempts: z
      .object({
        succeeded: countField("Attempts with a complete 2xx response", 12),
        failed: countField("All other attempts", 1),
      })
      .openapi({ description: "Numbers of attempts, by the time at which they began" }),
    latency_ms: z
      .object({ p50: z.number(), p90: z.number(), p99: z.number() })
      .nullable()
      .openapi({
        example: { p50: 35.5, p90: 89.1, p99: 223.9 },
        description:
          "The latency of the attempts in milliseconds, from the start of an attempt to the end of the response or " +
          "the failure. It is read from a histogram with ten buckets per decade from 1 ms to 31.6 s, so a figure is " +
          "at most 12.3 % off. Null when there were no attempts.",
      }),
  })
  .openapi("StatsRow");

const statsSchema = z
  .object({
    since: z.string().openapi({ format: "date-time", description: "The start of the first interval" }),
    until: z.string().openapi({ format: "date-time", example: "2026-01-22T13:00:00Z" }),
    data: z.array(rowSchema).openapi({
      description: "The rows, sorted by time and group. An interval in which nothing happened has no row.",
    }),
    now: z.object({
      waiting: z
        .array(
          z
            .object({
              target: idField("tgt"),
              count: z.int(),
              oldest_created_at: z.string().openapi({
                format: "date-time",
                description: "When the oldest of these deliveries was created, to the minute",
              }),
            })
            .openapi("WaitingDeliveries"),
        )
        .openapi({
          description:
            "The number of pending deliveries of each target that has any. The filters `source` and `event_type` do " +
            "not apply.",
        }),
      queue: z.object({ redis: z.int().nullable().optional(), postgres: z.int().nullable().optional() }).openapi({
        description:
          "The number of batches of events that were acknowledged and are not stored yet, in each store that has a " +
          "queue. Null for a store that does not answer.",
      }),
    }),
  })
  .openapi("Stats");

const read = createRoute({
  method: "get",
  path: "/v1/stats",
  tags: ["stats"],
  summary: "Count events, deliveries and attempts",
  description:
    "The answer has figures by intervals of a minute to a day, and the number of deliveries that wait now. The figures are exact. While a worker runs, they are about three seconds old. Minutes, and so intervals of ten minutes, are kept for two days; " +
    `hours and days are kept as long as the log. An answer has at most ${MAX_INTERVALS} intervals.`,
  request: {
    query: z.strictObject({
      group_by: z.enum(STATS_GROUPS).openapi("StatsGroup").default("target").openapi({
        description: "What each row is counted for. `none`: each interval has one row, for everything.",
        example: "target",
      }),
      interval: intervalParameter,
      ...timeParameters,
      target: deliveryParameters.target,
      source: deliveryParameters.source,
      event_type: deliveryParameters.event_type,
    }),
  },
  responses: { 200: jsonAnswer("The figures", statsSchema), ...problems("invalid_id"), default: problemResponse },
});

export function routeStats(app: OpenAPIHono<ApiEnv>, { db, readQueueDepth }: StatsDependencies): void {
  app.openapi(read, async (c) => {
    const query = c.req.valid("query");
    const { group_by: groupBy } = query;
    const range = readIntervals(query);
    const targetId = readFilterId("tgt", query.target, "?target");
    const sourceId = await readSource(db, query.source);
    const [rows, waiting, queue] = await Promise.all([
      readStats(db, { ...range, groupBy, targetId, sourceId, eventType: query.event_type }),
      readWaiting(db, targetId),
      readQueueDepth(),
    ]);
    const isByTarget = groupBy === "target" || targetId !== undefined;
    return c.json(
      {
        since: new Date(range.sinceMs).toISOString(),
        until: new Date(range.untilMs).toISOString(),
        data: rows.map((row) => showRow(row, groupBy, isByTarget)),
        now: {
          waiting: waiting.map((one) => ({
            target: formatId("tgt", one.targetId),
            count: one.count,
            oldest_created_at: one.oldestSince.toISOString(),
          })),
          queue,
        },
      },
      200,
    );
  });
}

const PREFIXES: Partial<Record<StatsGroup, IdPrefix>> = { target: "tgt", source: "src" };

function showRow(row: StatsRow, groupBy: StatsGroup, isByTarget: boolean): z.infer<typeof rowSchema> {
  const prefix = PREFIXES[groupBy];
  return {
    start: new Date(row.startMs).toISOString(),
    group: prefix === undefined || row.group === null ? row.group : formatId(prefix, row.group),
    events: isByTarget ? null : row.events,
    deliveries: {
      created: row.deliveries,
      succeeded: row.succeeded,
      exhausted: row.exhausted,
      cancelled: row.cancelled,
      retried: row.retried,
    },
    attempts: { succeeded: row.attemptsSucceeded, failed: row.attemptsFailed },
    latency_ms: row.latency,
  };
}
