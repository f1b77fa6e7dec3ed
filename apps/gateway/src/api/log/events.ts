// /v1/events: reads of the events that were received, with their deliveries and their bodies.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { isNestedWithin, parseJson } from "@sluice/shared/domain/envelope";
import { parseExactJson } from "@sluice/shared/domain/exact-json";
import { formatId, parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Database } from "@sluice/store/connection/database";
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
import { idParameter, jsonAnswer, noParameters } from "../openapi/endpoint.ts";
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

const binary = z.string().openapi({ format: "binary" });

export const eventSchema = z
  .object({
    id: z.string().openapi({ example: "evt_01h455vb4pex5vsknk084sn02q" }),
    source: z.string().openapi({ example: "src_01h455vb4pex5vsknk084sn02q" }),
    webhook_id: z.string(),
    type: z.string().nullable().openapi({ example: "batch.succeeded" }),
    timestamp: z.string().nullable().openapi({
      format: "date-time",
      description: "The `timestamp` of the payload. Null when the payload has none.",
      example: "2026-01-22T12:00:00Z",
    }),
    received_at: z.string().openapi({ format: "date-time" }),
    scheme: z.string().openapi({ example: "v1" }),
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
    filter_errors: z.array(z.object({ target: z.string(), error: z.string() })).openapi({
      description: "The targets whose filter failed on this event. A filter that fails does not match.",
      example: [],
    }),
    size_bytes: z.int().openapi({ example: 158 }),
    payload: z.unknown().openapi({
      description: `The body as JSON. Null when the body is not JSON, or is nested deeper than ${MAX_LEVELS} levels.`,
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
const params = idParameter("evt_01h455vb4pex5vsknk084sn02q");
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
      200: jsonAnswer("A page", orderedListOf(eventSchema)),
      ...problems("invalid_id"),
      default: problemResponse,
    },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/events/{id}",
    tags,
    summary: "Read an event with its deliveries and their attempts",
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The event", eventWithDeliveries), default: problemResponse },
  }),
  body: createRoute({
    method: "get",
    path: "/v1/events/{id}/body",
    tags,
    summary: "Read the body of an event, byte for byte as it was signed",
    description:
      "The answer has the content type of the request that brought the event. The sender decides what the body is, " +
      "so a browser must not show it as a page: it is sent as an attachment.",
    request: { params, query: noParameters },
    responses: {
      200: {
        description: "The body, with the content type that it was received with",
        content: { "*/*": { schema: binary } },
      },
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
    return c.body(new Uint8Array(body), 200, {
      "content-type": readMediaType(event.contentType),
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

/** The content type as it was received, or `application/octet-stream` when a header cannot hold it. */
function readMediaType(contentType: string | null): string {
  return contentType !== null && /^[\x20-\x7e]+$/.test(contentType) ? contentType : "application/octet-stream";
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
    payload: isNestedWithin(MAX_LEVELS, payload) ? (payload ?? null) : null,
  };
}
