// /v1/events: reads of the events that were received, with their deliveries and their bodies.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { isNestedWithin, parseJson } from "@sluice/shared/domain/envelope";
import { parseExactJson } from "@sluice/shared/domain/exact-json";
import { formatId, parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Database } from "@sluice/store/connection/database";
import { EVENT_SCHEMES } from "@sluice/store/delivery/event-schemes";
import { BODY_REMOVALS } from "@sluice/store/schema";
import {
  countFitting,
  type EventRecord,
  getEvent,
  listAttemptsOf,
  listDeliveriesOf,
  listEvents,
  readBodies,
} from "@sluice/store/log/records";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import { pageParameters } from "../http/list.ts";
import { orderedListOf, orderParameter, readOrderedPage, toOrderedPage } from "../http/ordered-list.ts";
import { problems } from "../http/problems.ts";
import { headerReferences } from "../openapi/response-headers.ts";
import { idField, idParameter, jsonAnswer, noParameters } from "../openapi/endpoint.ts";
import { deliveryWithAttempts, MAX_ATTEMPTS, showAttempt, showDelivery } from "./delivery-schema.ts";
import { eventParameters, readEventFilter, timeParameters } from "./filter-parameters.ts";

/**
 * The total size of the bodies in one page. The process that parses them also serves the ingress, and 250 bodies of 1
 * MiB would hold it up.
 */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** A payload that is nested deeper is shown as null, because writing it as JSON could overflow the stack. */
const MAX_LEVELS = 500;

export interface EventsDependencies {
  db: Database;
}

const BINARY = "application/octet-stream";
const JSON_TYPE = "application/json";

export const filterError = z.object({ target: idField("tgt"), error: z.string() }).openapi("FilterError");

export const eventSchema = z
  .object({
    id: idField("evt"),
    source: idField("src"),
    webhook_id: z.string(),
    type: z.string().nullable().openapi({ example: "batch.succeeded" }),
    timestamp: z.string().nullable().openapi({
      format: "date-time",
      description: "The `timestamp` of the payload. Null when the payload has none.",
      example: "2026-01-22T12:00:00Z",
    }),
    received_at: z.string().openapi({ format: "date-time" }),
    scheme: z.enum(EVENT_SCHEMES).openapi("EventScheme", {
      description:
        "How the event was proved: v1, v1a and jwt are signature schemes of Gemini. The others are events that nobody " +
        "signed: api was injected, reconciled stands in for a webhook that did not come, none is of the relay itself.",
    }),
    body_unbound: z.boolean().openapi({
      description: "True when the signature proves who sent the event, but not that the body is unchanged",
    }),
    content_encoding: z.string().nullable().openapi({
      description:
        "The `content-encoding` that the event arrived with. The body is kept and delivered as it came, with this label.",
      example: null,
    }),
    user_metadata: z
      .record(z.string(), z.unknown())
      .nullable()
      .openapi({ example: { team: "billing" } }),
    labels: z
      .record(z.string(), z.string())
      .openapi({ description: "The labels of the callback URL that received the event", example: {} }),
    filter_errors: z.array(filterError).openapi({
      description: "The targets whose filter failed on this event. A filter that fails does not match.",
      example: [],
    }),
    size_bytes: z.int().openapi({ description: "The size of the body. 0 when it was removed.", example: 158 }),
    body_removed_at: z
      .string()
      .nullable()
      .openapi({
        format: "date-time",
        description:
          "When the body was removed, with everything that was taken from it: `user_metadata`, `labels`, `filter_errors`, " +
          "`content_encoding`, and the excerpts of what targets answered. Null while the body is there.",
        example: null,
      }),
    body_removed_by: z.union([z.enum(BODY_REMOVALS).openapi("BodyRemoval"), z.null()]).openapi({
      description:
        "retention: the event is older than `BODY_RETENTION_DAYS`. erasure: somebody called `:erase`. Null while the body " +
        "is there.",
      example: null,
    }),
    payload: z.unknown().openapi({
      description: `The body as JSON. Null when the body is not JSON, is nested deeper than ${MAX_LEVELS} levels, or was removed.`,
      example: {
        type: "batch.succeeded",
        version: "v1",
        timestamp: "2026-01-22T12:00:00Z",
        data: { id: "batch_123456" },
        user_metadata: { team: "billing" },
      },
    }),
  })
  .openapi("Event");

const eventWithDeliveries = eventSchema
  .extend({
    deliveries: z.array(deliveryWithAttempts).openapi({ description: "One for each target that the event goes to" }),
  })
  .openapi("EventWithDeliveries");

const tags = ["events"];
export const eventParams = idParameter("evt", "the event");
const endpoints = {
  list: createRoute({
    method: "get",
    path: "/v1/events",
    tags,
    summary: "List the events that match every filter",
    description: "A page with large payloads holds fewer events than `limit`.",
    request: {
      query: z.strictObject({
        ...pageParameters,
        order: orderParameter,
        ...timeParameters,
        ...eventParameters,
      }),
    },
    responses: {
      200: jsonAnswer("A page", orderedListOf(eventSchema, "EventPage")),
      ...problems("invalid_id"),
      default: problemResponse,
    },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/events/{id}",
    tags,
    summary: "Read an event with its deliveries and their attempts",
    description: `The answer shows the newest ${MAX_ATTEMPTS} attempts of all deliveries together.`,
    request: { params: eventParams, query: noParameters },
    responses: { 200: jsonAnswer("The event", eventWithDeliveries, "ETag"), default: problemResponse },
  }),
  body: createRoute({
    method: "get",
    path: "/v1/events/{id}/body",
    tags,
    summary: "Read the body of an event, byte for byte as it was signed",
    description:
      "A body that came as JSON is answered as `application/json`, and any other as `application/octet-stream`: the sender " +
      "decides what the body is, and the answer must be none that a browser shows as a page or a client takes for an " +
      "error. `Sluice-Content-Type` has the content type that the body came with.",
    request: { params: eventParams, query: noParameters },
    responses: {
      200: {
        description: "The body",
        headers: headerReferences(["Content-Disposition", "Sluice-Content-Type"]),
        content: {
          [BINARY]: { schema: z.string().openapi({ format: "binary" }) },
          [JSON_TYPE]: { schema: z.unknown(), example: { type: "batch.succeeded", data: { id: "batch_123456" } } },
        },
      },
      ...problems("body_removed"),
      default: problemResponse,
    },
  }),
};

export function routeEvents(app: OpenAPIHono<ApiEnv>, { db }: EventsDependencies): void {
  app.openapi(endpoints.list, async (c) => {
    const query = c.req.valid("query");
    const filter = await readEventFilter(db, query);
    const { page, cursor } = await readOrderedPage(db, "events", query, filter);
    const found = await listEvents(db, filter, page);
    const limit = Math.min(query.limit, countFitting(found.rows, MAX_PAGE_BYTES));
    const { rows, cursors } = toOrderedPage(found, limit, cursor);
    const bodies = await readBodies(
      db,
      rows.map((event) => event.id),
    );
    const data = rows.map((event) => showEvent(event, bodies.get(event.id)));
    return c.json({ data, ...cursors }, 200);
  });

  app.openapi(endpoints.read, async (c) => {
    const event = await findEvent(c.req.valid("param").id);
    const bodies = await readBodies(db, [event.id]);
    // The attempts MUST be read after the deliveries, so that they include every attempt that the deliveries tell of.
    const deliveries = await listDeliveriesOf(db, event.id);
    const attempts = await listAttemptsOf(
      db,
      deliveries.map(({ id }) => id),
      MAX_ATTEMPTS,
    );
    const nowMs = Date.now();
    const shown = deliveries.map((delivery) => ({
      ...showDelivery(delivery, nowMs),
      attempts: attempts.filter(({ deliveryId }) => deliveryId === delivery.id).map(showAttempt),
    }));
    return c.json(withEtag(c, { ...showEvent(event, bodies.get(event.id)), deliveries: shown }), 200);
  });

  app.openapi(endpoints.body, async (c) => {
    const event = await findEvent(c.req.valid("param").id);
    const body = (await readBodies(db, [event.id])).get(event.id);
    if (body === undefined) throw eventNotFound();
    if (event.bodyRemovedAt !== null) throw bodyRemoved();
    return c.body(new Uint8Array(body), 200, {
      ...contentTypesOf(event.contentType),
      // Anybody who may send an event decides what its body is. A browser MUST NOT run it as a page of this origin.
      "x-content-type-options": "nosniff",
      "content-disposition": `attachment; filename="${formatId("evt", event.id)}"`,
      "content-security-policy": "sandbox; default-src 'none'",
    });
  });

  async function findEvent(text: string): Promise<EventRecord> {
    const event = await getEvent(db, parseId("evt", text, "{id}"));
    if (event === undefined) throw eventNotFound();
    return event;
  }
}

export const eventNotFound = () => new SluiceError("not_found", "There is no event with this id");

export const bodyRemoved = () =>
  new SluiceError("body_removed", "The body of this event was removed: there is nothing left to show or to send");

/** @param received the content type with which the event came. */
function contentTypesOf(received: string | null): Record<string, string> {
  // A header cannot hold other characters.
  if (received === null || !/^[\x20-\x7e]+$/.test(received)) return { "content-type": BINARY };
  const [type = ""] = received.split(";");
  const isJson = type.trim().toLowerCase() === JSON_TYPE;
  return { "content-type": isJson ? received : BINARY, "sluice-content-type": received };
}

/** @param body undefined when the payload is not wanted or the body is gone; `payload` is then null. */
export function showEvent(event: EventRecord, body: Buffer | undefined): z.infer<typeof eventSchema> {
  const payload = body === undefined ? undefined : parseJson(body, parseExactJson);
  return {
    id: formatId("evt", event.id),
    source: formatId("src", event.sourceId),
    webhook_id: event.webhookId,
    type: event.type,
    timestamp: event.occurredAt?.toISOString() ?? null,
    received_at: event.receivedAt.toISOString(),
    scheme: event.scheme,
    body_unbound: event.bodyUnbound,
    content_encoding: event.contentEncoding,
    user_metadata: event.userMetadata,
    labels: event.labels ?? {},
    filter_errors: (event.filterErrors ?? []).map(({ target, error }) => ({ target: formatId("tgt", target), error })),
    size_bytes: event.sizeBytes,
    body_removed_at: event.bodyRemovedAt?.toISOString() ?? null,
    body_removed_by: event.bodyRemovedBy,
    payload: isNestedWithin(MAX_LEVELS, payload) ? (payload ?? null) : null,
  };
}
