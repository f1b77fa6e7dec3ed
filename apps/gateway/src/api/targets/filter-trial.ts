// POST /v1/targets:try-filter: which of the newest events a target would get, before its subscription and filter are saved.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { compileFilter } from "@sluice/filter/compile";
import { formatId } from "@sluice/shared/domain/ids";
import { Turns } from "@sluice/shared/runtime/turns";
import { type TriedEvent, tryFilter } from "@sluice/store/delivery/filter-trial";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { idField, jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { type TargetsDependencies, targetTags as tags } from "./target-endpoint.ts";
import { targetChange } from "./target-request.ts";

const MAX_EVENTS = 200;

const trialBody = z
  .strictObject({
    filter: targetChange.shape.filter,
    subscribed_events: targetChange.shape.subscribed_events.openapi({
      description: "If you leave it out, every event that Gemini sends counts as subscribed",
      example: ["batch.*"],
    }),
    limit: z.int().min(1).max(MAX_EVENTS).default(50).openapi({ description: "How many events to try at most" }),
  })
  .openapi("TryFilter");

const triedEvent = z
  .object({
    event: idField("evt"),
    source: idField("src"),
    type: z.string().nullable().openapi({ example: "batch.succeeded" }),
    received_at: z.string().openapi({ format: "date-time" }),
    result: z
      .enum(["matched", "not_matched", "not_subscribed", "failed", "body_removed"])
      .openapi("FilterTrialResult", {
        description:
          "`matched`: the target would get the event. `failed`: the filter failed on it, so the target would not get it. " +
          "`body_removed`: the filter cannot be tried on it.",
      }),
    error: z.string().nullable().openapi({ description: "Why the filter failed; null unless it did", example: null }),
  })
  .openapi("TriedEvent");

const trial = z
  .object({
    matched: z.int().openapi({ description: "How many of the events the target would get", example: 1 }),
    failed: z.int().openapi({ description: "On how many of them the filter failed", example: 0 }),
    data: z.array(triedEvent).openapi({
      description: "The newest events, newest first. They are fewer than `limit` when their bodies are large.",
    }),
  })
  .openapi("FilterTrial");

const endpoint = createRoute({
  method: "post",
  path: "/v1/targets:try-filter",
  tags,
  summary: "Try a filter on the newest events",
  description:
    "Says which of the newest events a target with this subscription and this filter would get. Nothing is stored or sent.",
  request: { query: noParameters, body: jsonBody(trialBody) },
  responses: { 200: jsonAnswer("What became of each event", trial), default: problemResponse },
});

export function routeFilterTrial(app: OpenAPIHono<ApiEnv>, { db }: TargetsDependencies): void {
  // A trial alone leaves half of the time to the live traffic of the gateway; several at once would leave less and less.
  const turns = new Turns();
  app.openapi(verbEndpoint(app, endpoint), async (c) => {
    const { filter, subscribed_events: subscribedEvents = ["*"], limit } = c.req.valid("json");
    const compiled = typeof filter === "string" ? compileFilter(filter) : undefined;
    // The schema has compiled it before, and named the fault.
    const rule = { filter: compiled !== undefined && "filter" in compiled ? compiled.filter : null, subscribedEvents };
    const { signal } = c.req.raw;
    // Nobody waits any more for the trial of a client that went away.
    const tried = await turns.take(async () => (signal.aborted ? [] : tryFilter(db, rule, limit)));
    const count = (wanted: TriedEvent["result"]) => tried.filter(({ result }) => result === wanted).length;
    return c.json({ matched: count("matched"), failed: count("failed"), data: tried.map(showTried) }, 200);
  });
}

const showTried = (event: TriedEvent): z.infer<typeof triedEvent> => ({
  event: formatId("evt", event.id),
  source: formatId("src", event.sourceId),
  type: event.type,
  received_at: event.receivedAt.toISOString(),
  result: event.result,
  error: event.error,
});
