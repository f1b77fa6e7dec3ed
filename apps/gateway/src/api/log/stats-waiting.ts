// /v1/stats/waiting: how many deliveries waited, and for how long, in each interval. A worker takes a sample each minute, so an
// answer costs the same however many deliveries there are.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { formatId } from "@sluice/shared/domain/ids";
import type { Database } from "@sluice/store/connection/database";
import { MAX_SAMPLED_TARGETS, readSampledWaiting } from "@sluice/store/journal/waiting-samples";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { problems } from "../http/problems.ts";
import { idField, jsonAnswer } from "../openapi/endpoint.ts";
import { deliveryParameters, readFilterId, timeParameters } from "./filter-parameters.ts";
import { intervalParameter, MAX_INTERVALS, readIntervals } from "./stats-interval.ts";

const rowSchema = z
  .object({
    start: z.string().openapi({ format: "date-time", description: "The start of the interval, in UTC" }),
    target: idField("tgt").nullable().openapi({
      description:
        "Null for all other targets together. Each interval with a sample has this row; an interval without one has no row.",
    }),
    waiting: z
      .number()
      .openapi({ description: "Pending deliveries, on average over the samples of the interval", example: 12.5 }),
    oldest_seconds: z.int().openapi({
      description: "The highest age of a pending delivery in any of the samples, to the minute. 0 when none waited.",
      example: 340,
    }),
  })
  .openapi("WaitingRow");

const answerSchema = z
  .object({
    since: z.string().openapi({ format: "date-time", description: "The start of the first interval" }),
    until: z.string().openapi({ format: "date-time", example: "2026-01-22T13:00:00Z" }),
    data: z.array(rowSchema).openapi({
      description:
        "The rows, sorted by time and target. A target has no row in an interval in which nothing waited for it.",
    }),
  })
  .openapi("WaitingStats");

const targetsParameter = z
  .string()
  .regex(/^(?:[1-9]|[1-4][0-9]|50)$/, `must be an integer from 1 to ${MAX_SAMPLED_TARGETS}`)
  .default("10")
  .transform(Number)
  .openapi({
    type: "integer",
    minimum: 1,
    maximum: MAX_SAMPLED_TARGETS,
    default: 10,
    description: "How many targets have rows of their own: those for which most waited in the range",
    example: 10,
  });

const read = createRoute({
  method: "get",
  path: "/v1/stats/waiting",
  tags: ["stats"],
  summary: "Show what waited for the targets",
  description:
    `A worker takes a sample each minute. A sample has the ${MAX_SAMPLED_TARGETS} targets with most pending deliveries, and all ` +
    "others together. Minutes are kept for two days; hours and days are kept as long as the log. An answer has at most " +
    `${MAX_INTERVALS} intervals.`,
  request: {
    query: z.strictObject({
      interval: intervalParameter,
      ...timeParameters,
      target: deliveryParameters.target,
      targets: targetsParameter,
    }),
  },
  responses: { 200: jsonAnswer("The samples", answerSchema), ...problems("invalid_id"), default: problemResponse },
});

export function routeStatsWaiting(app: OpenAPIHono<ApiEnv>, { db }: { db: Database }): void {
  app.openapi(read, async (c) => {
    const { targets, target, ...query } = c.req.valid("query");
    const range = readIntervals(query);
    const targetId = readFilterId("tgt", target, "?target");
    const rows = await readSampledWaiting(db, { ...range, targetId, targets });
    return c.json(
      {
        since: new Date(range.sinceMs).toISOString(),
        until: new Date(range.untilMs).toISOString(),
        data: rows.map((row) => ({
          start: new Date(row.startMs).toISOString(),
          target: row.targetId === null ? null : formatId("tgt", row.targetId),
          waiting: Math.round(row.waiting * 100) / 100,
          oldest_seconds: row.oldestSeconds,
        })),
      },
      200,
    );
  });
}
