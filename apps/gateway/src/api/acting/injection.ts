// POST /v1/events: injects an event as if a sender had sent it, for tests and for other producers. The statement of the
// intake stores it, so deduplication, filters and fan-out are those of every event. That happens in one transaction
// with the audit entry and without the queue, so the answer knows whether the event is new and which id it has.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { EVENT_TYPE, isNestedWithin, isStorable, readEnvelope } from "@sluice/shared/domain/envelope";
import { MAX_NUMBER_LENGTH, parseExactJson } from "@sluice/shared/domain/exact-json";
import { exampleId, formatId, newId } from "@sluice/shared/domain/ids";
import { RELAY_TYPES } from "@sluice/shared/domain/subscription";
import { isWebhookId } from "@sluice/signature/verification/webhook-id";
import { API_SOURCE, getSource } from "@sluice/store/configuration/sources";
import { loadSubscribers } from "@sluice/store/configuration/targets";
import type { Database } from "@sluice/store/connection/database";
import { withPartitions } from "@sluice/store/connection/partitions";
import { INJECTED_SCHEME } from "@sluice/store/delivery/event-schemes";
import type { NewEvent } from "@sluice/store/delivery/store-events";
import { storeMatched } from "@sluice/store/delivery/store-matched";
import { storeTraceContext } from "@sluice/store/delivery/trace-contexts";
import type { Tracing } from "@sluice/tracing/tracing";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { invalidRequest } from "../http/invalid-request.ts";
import { plainText } from "../http/plain-text.ts";
import { problems } from "../http/problems.ts";
import { recordOf } from "../http/record.ts";
import { readSource } from "../log/filter-parameters.ts";
import { idField, jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { labels } from "../sources/event-labels.ts";
import { findNamed, parseTargetIds, targetIds } from "./replay-request.ts";
import { beginMadeEvent } from "./trace-made-event.ts";
import { wake, type WakeDependencies } from "./wake.ts";

export interface InjectionDependencies extends WakeDependencies {
  db: Database;
  tracing: Tracing | undefined;
}

/** No payload of Gemini's is nested this deep. The limit keeps JSON.stringify from overflowing the stack. */
const MAX_LEVELS = 100;
const MAX_TARGETS = 100;

const objectField = (description: string, example: object) =>
  recordOf(z.unknown())
    .refine((value) => isNestedWithin(MAX_LEVELS, value), `must have at most ${MAX_LEVELS} levels`)
    .openapi({ type: "object", additionalProperties: true, description, example });

const newEvent = z
  .strictObject({
    type: z
      .string()
      .regex(EVENT_TYPE, 'must be the name of an event such as "batch.succeeded"')
      .refine(
        (type) => !type.startsWith(RELAY_TYPES),
        `must not begin with "${RELAY_TYPES}", as the relay's own events do`,
      )
      .openapi({
        example: "batch.succeeded",
        description: `Any event type, except those of the relay itself ("${RELAY_TYPES}…"). The subscriptions of the targets are compared with it.`,
      }),
    data: objectField("What the event is about, as in Gemini's thin payload", {
      id: "batch_123456",
      output_file_uri: "gs://my-bucket/results.jsonl",
    }),
    user_metadata: objectField("The metadata that was given with the job", { team: "billing" })
      .refine((value) => isStorable(value), "must have no NUL, no lone surrogate and at most 64 levels")
      .optional(),
    labels: labels.optional(),
    source: plainText(256)
      .min(1)
      .default(API_SOURCE)
      .openapi({ description: "The name or the id of the event's source", example: API_SOURCE }),
    webhook_id: z
      .string()
      .refine(isWebhookId, "must be 1 to 256 visible ASCII characters without a dot")
      .optional()
      .openapi({
        minLength: 1,
        maxLength: 256,
        pattern: "^[\\x21-\\x2d\\x2f-\\x7e]+$",
        description: "Events of one source with the same `webhook_id` are one event. Generated when not given.",
        example: "msg_p5jXN8AQM9LWM0D4loKWxJek",
      }),
    targets: targetIds(MAX_TARGETS)
      .optional()
      .openapi({
        description:
          "Only these targets get the event, whatever they subscribe to. None of them may be disabled. When not given, every " +
          "target gets the event that matches it.",
        example: [exampleId("tgt")],
      }),
    timestamp: z.iso
      .datetime({ offset: true, error: "must be a time of RFC 3339 such as 2026-01-22T12:00:00Z" })
      .optional()
      .openapi({
        description: "When the event happened. The current time when not given.",
        example: "2026-01-22T12:00:00Z",
      }),
  })
  .openapi("NewEvent");

const injectedEvent = z
  .object({
    id: idField("evt"),
    source: idField("src"),
    webhook_id: z.string(),
    is_duplicate: z.boolean().openapi({
      description:
        "True when the event was stored before. `id` is then that of the stored event, and nothing was changed.",
    }),
    deliveries: z.int().openapi({
      description: "The number of new deliveries, one for each target that matches. 0 for a duplicate.",
    }),
  })
  .openapi("InjectedEvent");

const endpoint = createRoute({
  method: "post",
  path: "/v1/events",
  tags: ["events"],
  summary: "Inject an event as if a sender had sent it",
  description:
    "The body that targets get is Gemini's thin payload: `{type, version, timestamp, data, user_metadata}`. The " +
    "event is deduplicated by `webhook_id`, filtered, delivered, retried and signed like every other event. In the " +
    "log its `scheme` is `api`. The answer is sent when the event is durable.",
  request: { query: noParameters, body: jsonBody(newEvent) },
  responses: {
    201: jsonAnswer("The event, stored", injectedEvent),
    200: jsonAnswer("The event that was stored before with this `webhook_id`", injectedEvent),
    ...problems("invalid_id", "target_disabled"),
    default: problemResponse,
  },
});

export function routeInjection(app: OpenAPIHono<ApiEnv>, dependencies: InjectionDependencies): void {
  const { db } = dependencies;
  app.openapi(endpoint, async (c) => {
    const given = c.req.valid("json");
    const source = await findInjectionSource(db, given.source);
    // The validated body has rounded numbers. Both objects have the same fields.
    const exact = parseExactJson(await c.req.text(), refuseRounded);
    const { data, user_metadata } = exact as Pick<typeof given, "data" | "user_metadata">;
    const onlyTo = given.targets && parseTargetIds(given.targets);
    const event = toEvent({ ...given, data, user_metadata }, source.id);
    const show = (id: string, isDuplicate: boolean, deliveries: number) => ({
      id: formatId("evt", id),
      source: formatId("src", source.id),
      webhook_id: event.webhookId,
      is_duplicate: isDuplicate,
      deliveries,
    });
    const trace = beginMadeEvent(dependencies.tracing, event.id, endpoint.path, (name) => c.req.header(name));
    const { answer, toWake } = await withPartitions(db, [event.id], () =>
      makeChange(c, db, async (tx, record) => {
        if (onlyTo !== undefined) findNamed(onlyTo, await loadSubscribers(tx, onlyTo));
        const stored = await storeMatched(tx, event, source.name, onlyTo);
        if (stored.kind === "stored" && trace.stored !== null) await storeTraceContext(tx, event.id, trace.stored);
        if (stored.kind === "duplicate") return { answer: show(stored.eventId, true, 0), toWake: [] };
        const shown = show(event.id, false, stored.targetIds.length);
        await record({ action: "event.injected", resourceId: shown.id, after: { ...shown, type: event.type } });
        return { answer: shown, toWake: stored.targetIds };
      }),
    );
    for (const targetId of toWake) wake(dependencies, targetId);
    trace.span?.end(Date.now(), {
      "http.response.status_code": answer.is_duplicate ? 200 : 201,
      "sluice.source.name": source.name,
      "sluice.duplicate": answer.is_duplicate,
      "sluice.deliveries": answer.deliveries,
    });
    return answer.is_duplicate ? c.json(answer, 200) : c.json(answer, 201);
  });
}

/** Targets would get another number, or null. @throws SluiceError `invalid_request`, which names the field of the number. */
function refuseRounded(key: string): never {
  const detail = `has a number in ${JSON.stringify(key)} that is longer than ${MAX_NUMBER_LENGTH} characters`;
  throw invalidRequest([{ pointer: "", detail: `${detail}; write it as a string` }]);
}

/** @throws SluiceError `invalid_id`, or `invalid_request` when there is no such source */
async function findInjectionSource(db: Database, given: string): Promise<{ id: string; name: string }> {
  const id = await readSource(db, given, "/source");
  const source = id === undefined ? undefined : await getSource(db, id);
  if (source === undefined) throw invalidRequest([{ pointer: "/source", detail: "is the id of no source" }]);
  return source;
}

function toEvent(given: z.infer<typeof newEvent>, sourceId: string): NewEvent {
  const { type, data, user_metadata, labels: givenLabels, webhook_id, timestamp } = given;
  const nowMs = Date.now();
  const payload = { type, version: "v1", timestamp: timestamp ?? new Date(nowMs).toISOString(), data, user_metadata };
  const body = Buffer.from(JSON.stringify(payload));
  return {
    ...readEnvelope(body),
    id: newId(),
    sourceId,
    webhookId: webhook_id ?? `msg_${newId()}`,
    receivedAtMs: nowMs,
    scheme: INJECTED_SCHEME,
    contentType: "application/json",
    contentEncoding: null,
    body,
    labels: givenLabels ?? null,
    filterErrors: null,
    bodyUnbound: false,
    token: null,
  };
}
