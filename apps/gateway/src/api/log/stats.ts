// /v1/stats: how much came, went and failed, in each interval; and what waits now. From figures that the worker keeps,
// so that an answer costs the same beside a log of any size.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import type { Producer } from "@sluice/queue/queue";
import { type IdPrefix, formatId } from "@sluice/shared/domain/ids";
import type { Database } from "@sluice/store/connection/database";
import { readStats, readWaiting, STATS_GROUPS, type StatsGroup, type StatsRow } from "@sluice/store/journal/stats";
import type { Resolution } from "@sluice/store/schema";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { invalidRequest } from "../http/invalid-request.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer } from "../openapi/endpoint.ts";
import { eventParameters, readFilterId, readSource, timeParameters } from "./filter-parameters.ts";

export interface StatsDependencies {
  db: Database;
  /** Of intake: see Producer. */
  readQueueDepth: () => ReturnType<Producer["depth"]>;
}

/** In one answer: with twenty targets four thousand rows. A week by the hour, three hours by the minute. */
const MAX_INTERVALS = 200;
const INTERVAL_MS: Record<Resolution, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
/** From `since` to `until`, where `since` is not given: an hour, a day, and thirty days. */
const DEFAULT_INTERVALS: Record<Resolution, number> = { minute: 60, hour: 24, day: 30 };

const count = (description: string, example = 0) => z.int().openapi({ description, example });

const rowSchema = z
  .object({
    start: z.string().openapi({ format: "date-time", description: "Of the interval, in UTC" }),
    group: z.string().nullable().openapi({
      description: "The id of a target or source, or an event type; null for events whose body names no type",
      example: "tgt_01h455vb4pex5vsknk084sn02q",
    }),
    events: z.int().nullable().openapi({
      description: "Stored, by the time at which they were received. Null by target: an event has none",
      example: null,
    }),
    deliveries: z
      .object({
        created: count("One for each event and target that it went to", 12),
        succeeded: count("Finished by an attempt that succeeded", 12),
        exhausted: count("Given up at the deadline"),
        cancelled: count("By hand, or because the target was deleted"),
        retried: count("Made due by hand. One that had been finished may be counted as finished again"),
      })
      .openapi({ description: "By the time at which each of these was written" }),
    attempts: z
      .object({ succeeded: count("A complete 2xx", 12), failed: count("Anything else", 1) })
      .openapi({ description: "By the time at which they began" }),
    latency_ms: z
      .object({ p50: z.number(), p90: z.number(), p99: z.number() })
      .nullable()
      .openapi({
        example: { p50: 35.5, p90: 89.1, p99: 223.9 },
        description:
          "Of attempts, from their start to the end of the response or the failure. Out of a histogram of ten buckets a " +
          "decade from 1 ms to 31.6 s: a figure is at most 12.3 % off. Null without attempts",
      }),
  })
  .openapi("StatsRow");

const statsSchema = z
  .object({
    since: z.string().openapi({ format: "date-time", description: "The start of the first interval" }),
    until: z.string().openapi({ format: "date-time", example: "2026-01-22T13:00:00Z" }),
    data: z.array(rowSchema).openapi({ description: "By time and group. Where nothing happened, there is no row" }),
    now: z.object({
      waiting: z
        .array(
          z.object({
            target: z.string().openapi({ example: "tgt_01h455vb4pex5vsknk084sn02q" }),
            count: z.int(),
            oldest_created_at: z.string().openapi({ format: "date-time", description: "To the minute" }),
          }),
        )
        .openapi({
          description:
            "Deliveries that are pending, for each target that has any, whatever the filters on source and type",
        }),
      queue: z.object({ redis: z.int().nullable().optional(), postgres: z.int().nullable().optional() }).openapi({
        description:
          "Batches of events that were acknowledged and are not stored yet, in each store that has a queue; null for " +
          "one that does not answer",
      }),
    }),
  })
  .openapi("Stats");

const read = createRoute({
  method: "get",
  path: "/v1/stats",
  tags: ["stats"],
  summary: "Events, deliveries, attempts and latency by minute, hour or day, and what waits now",
  description:
    "The figures are exact and some three seconds old while a worker runs. Minutes are kept for two days, hours and days as " +
    `long as the log. An answer has at most ${MAX_INTERVALS} intervals.`,
  request: {
    query: z.strictObject({
      group_by: z
        .enum(STATS_GROUPS)
        .default("target")
        .openapi({ description: "What a row stands for", example: "target" }),
      interval: z.enum(["minute", "hour", "day"]).default("hour").openapi({ description: "Of UTC", example: "hour" }),
      ...timeParameters,
      target: z
        .string()
        .optional()
        .openapi({ description: "The id of a target", example: "tgt_01h455vb4pex5vsknk084sn02q" }),
      source: eventParameters.source,
      event_type: eventParameters.event_type,
    }),
  },
  responses: { 200: jsonAnswer("The figures", statsSchema), ...problems("invalid_id"), default: problemResponse },
});

export function routeStats(app: OpenAPIHono<ApiEnv>, { db, readQueueDepth }: StatsDependencies): void {
  app.openapi(read, async (c) => {
    const query = c.req.valid("query");
    const { group_by: groupBy, interval } = query;
    const lengthMs = INTERVAL_MS[interval];
    const untilMs = query.until ?? Date.now();
    const firstMs = query.since ?? untilMs - DEFAULT_INTERVALS[interval] * lengthMs;
    // What is asked for begins within an interval: all of it is shown.
    const sinceMs = Math.floor(firstMs / lengthMs) * lengthMs;
    if (untilMs - sinceMs > (MAX_INTERVALS + 1) * lengthMs) {
      const detail = `must be at most ${MAX_INTERVALS} intervals of a ${interval} before the end`;
      throw invalidRequest([{ pointer: "?since", detail }]);
    }
    const targetId = readFilterId("tgt", query.target, "?target");
    const sourceId = await readSource(db, query.source);
    const range = { groupBy, resolution: interval, sinceMs, untilMs };
    const [rows, waiting, queue] = await Promise.all([
      readStats(db, { ...range, targetId, sourceId, eventType: query.event_type }),
      readWaiting(db, targetId),
      readQueueDepth(),
    ]);
    const isOfTarget = groupBy === "target" || targetId !== undefined;
    return c.json(
      {
        since: new Date(sinceMs).toISOString(),
        until: new Date(untilMs).toISOString(),
        data: rows.map((row) => showRow(row, groupBy, isOfTarget)),
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

function showRow(row: StatsRow, groupBy: StatsGroup, isOfTarget: boolean): z.infer<typeof rowSchema> {
  const prefix = PREFIXES[groupBy];
  return {
    start: new Date(row.startMs).toISOString(),
    group: prefix === undefined || row.group === null ? row.group : formatId(prefix, row.group),
    events: isOfTarget ? null : row.events,
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
