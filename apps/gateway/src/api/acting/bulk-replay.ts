// POST /v1/events:replay: sends all events that match a filter to targets, such as everything of yesterday to a new
// target. The request only creates an operation; a worker carries it out.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { exampleId } from "@sluice/shared/domain/ids";
import { loadSubscribers } from "@sluice/store/configuration/targets";
import type { Database } from "@sluice/store/connection/database";
import type { ReplayFilter } from "@sluice/store/delivery/operations";
import { previewEvents } from "@sluice/store/delivery/replay-step";
import { newReplay } from "@sluice/store/delivery/replay-tallies";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { problems } from "../http/problems.ts";
import { EXPRESSION_OVER, filterExpression } from "../log/filter-expression.ts";
import { eventParameters, readEventFilter, timeParameters } from "../log/filter-parameters.ts";
import { jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { allField, filtersOf, requireFilter } from "./bulk-filter.ts";
import { COUNT_MS } from "./bulk.ts";
import { operationSchema, replayCounts, showReplay } from "./operation-schema.ts";
import { findNamed, parseTargetIds, targetIds } from "./replay-request.ts";
import { startOperation } from "./start-operation.ts";

export interface BulkReplayDependencies {
  db: Database;
}

/** The counts of each target are written with each step. */
const MAX_TARGETS = 100;

const replayBody = z
  .strictObject({
    ...timeParameters,
    ...eventParameters,
    filter: filterExpression.optional().openapi({
      description: `${EXPRESSION_OVER} Only the events for which it is true are replayed.`,
      example: 'event.type == "batch.failed"',
    }),
    targets: targetIds(MAX_TARGETS).openapi({
      description: "The targets that get the events. None of them may be disabled.",
      example: [exampleId("tgt")],
    }),
    match_subscription: z
      .boolean()
      .default(true)
      .openapi({
        description:
          "Whether a target gets only the events that its subscription and its filter match. When false, it gets every " +
          "event that this request finds.",
      }),
    again: z
      .boolean()
      .default(false)
      .openapi({
        description:
          "Whether a target that has a delivery of an event gets it once more: the delivery, if it is finished, is due " +
          "again. When false, what is there is left.",
      }),
    all: allField,
    dry_run: z.boolean().default(false).openapi({ description: "Only count, and change nothing", example: true }),
  })
  .superRefine(requireFilter)
  .openapi("ReplayEvents", {
    example: { targets: [exampleId("tgt")], since: "2026-01-22T00:00:00Z", dry_run: true },
  });

const preview = replayCounts
  .extend({
    total: z.int().openapi({ description: "The number of events that match the filters of the log", example: 1_200 }),
    failed: z.int().openapi({ description: "The number of events on which `filter` failed", example: 0 }),
    complete: z.boolean().openapi({
      description:
        `False when counting took longer than ${COUNT_MS / 1_000} seconds and was stopped. The numbers are then those ` +
        "of the oldest events.",
    }),
  })
  .openapi("ReplayPreview");

const endpoint = createRoute({
  method: "post",
  path: "/v1/events:replay",
  tags: ["events"],
  summary: "Send all events that match to targets",
  description:
    "The filters are those of `GET /v1/events`, and `filter`. At least one of them, or `all`, is required. The events " +
    "that were received before the request are replayed, the oldest first, as far back as the log reaches. An event has " +
    "one delivery per target: a target that has one of an event gets no second one. The same request can therefore be " +
    "made again, and does only what is missing. With `again`, a delivery that is finished is retried; one that waits for " +
    "an attempt, or is being attempted, is left. The operation goes as fast as the targets take the deliveries. A paused " +
    "target gets them when it is resumed.",
  request: { query: noParameters, body: jsonBody(replayBody) },
  responses: {
    200: jsonAnswer("After a dry run: what a replay would do now", preview),
    202: jsonAnswer("The operation, which begins in about a second", operationSchema, "Location"),
    ...problems("invalid_id", "target_disabled"),
    default: problemResponse,
  },
});

export function routeBulkReplay(app: OpenAPIHono<ApiEnv>, { db }: BulkReplayDependencies): void {
  app.openapi(verbEndpoint(app, endpoint), async (c) => {
    const body = c.req.valid("json");
    const ids = parseTargetIds(body.targets);
    findNamed(ids, await loadSubscribers(db, ids));
    const filter: ReplayFilter = {
      ...(await readEventFilter(db, body, "/")),
      sinceMs: body.since,
      untilMs: body.until,
    };
    const { again, match_subscription, filter: expression = null } = body;
    const replay = newReplay({ again, match_subscription, expression }, ids);
    if (body.dry_run) {
      const counted = await previewEvents(db, filter, replay, { withinMs: COUNT_MS });
      const { total, failed, isComplete } = counted;
      return c.json({ total, failed, ...showReplay(counted.replay), complete: isComplete }, 200);
    }
    const given = filtersOf(await c.req.json());
    return c.json(await startOperation(c, db, { kind: "replay_events", given, filter, replay }), 202);
  });
}
