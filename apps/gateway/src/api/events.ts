// /v1/events: what came in.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { isNestedWithin, parseJson } from "@sluice/shared/envelope";
import { SluiceError } from "@sluice/shared/errors";
import { formatId, parseId } from "@sluice/shared/ids";
import type { Database } from "@sluice/shared/store/database";
import { type EventRecord, getEvent, listEvents, readBodies } from "@sluice/shared/store/log";

import { problemResponse } from "./answer-problem.ts";
import { cursorOf } from "./cursor.ts";
import { withEtag } from "./etag.ts";
import { listOf, pageParameters, toPage } from "./list.ts";
import { eventParameters, labelParameter, readSource, timeParameters, typeParameter } from "./log-filter.ts";
import { idParameter, jsonAnswer, noParameters } from "./operation.ts";
import type { ApiEnv } from "./request-log.ts";

/** Bodies in one page. The process that parses them also serves the ingress, and 250 bodies of 1 MiB would stop it. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** A payload that is nested deeper is one that no answer could hold: writing JSON needs the stack. */
const MAX_LEVELS = 500;

export interface EventsDependencies {
  db: Database;
}

const eventSchema = z
  .object({
    id: z.string(),
    source: z.string().openapi({ example: "src_01h455vb4pex5vsknk084sn02q" }),
    webhook_id: z.string(),
    type: z.string().nullable(),
    timestamp: z.string().nullable().openapi({ format: "date-time", description: "As the payload states it" }),
    received_at: z.string().openapi({ format: "date-time" }),
    scheme: z.string(),
    body_unbound: z.boolean().openapi({ description: "The signature proves who sent it and not what was sent" }),
    user_metadata: z.record(z.string(), z.unknown()).nullable(),
    labels: z.record(z.string(), z.string()).openapi({ description: "Of the callback URL that it came by" }),
    filter_errors: z
      .array(z.object({ target: z.string(), error: z.string() }))
      .openapi({ description: "Filters of targets that failed on it, which therefore did not match" }),
    size_bytes: z.int(),
    payload: z
      .unknown()
      .openapi({ description: `Null where the body is not JSON, or is nested deeper than ${MAX_LEVELS} levels` }),
  })
  .openapi("Event");

const tags = ["events"];
const operations = {
  list: createRoute({
    method: "get",
    path: "/v1/events",
    tags,
    summary: "Events, newest first; a page of large payloads ends before its limit",
    request: {
      query: z.strictObject({
        ...pageParameters,
        ...timeParameters,
        ...eventParameters,
        type: typeParameter,
        label: labelParameter,
      }),
    },
    responses: { 200: jsonAnswer("A page", listOf(eventSchema)), default: problemResponse },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/events/{id}",
    tags,
    summary: "Read an event",
    request: { params: idParameter("evt_01h455vb4pex5vsknk084sn02q"), query: noParameters },
    responses: { 200: jsonAnswer("The event", eventSchema), default: problemResponse },
  }),
};

export function routeEvents(app: OpenAPIHono<ApiEnv>, { db }: EventsDependencies): void {
  app.openapi(operations.list, async (c) => {
    const query = c.req.valid("query");
    const filter = {
      sourceId: await readSource(db, query.source),
      type: query.type,
      webhookId: query.webhook_id,
      label: query.label,
    };
    const times = { sinceMs: query.since, untilMs: query.until };
    const cursor = cursorOf("events", { ...filter, ...times });
    const beforeId = query.cursor === undefined ? undefined : cursor.read(query.cursor);
    const found = await listEvents(db, filter, { ...times, beforeId, limit: query.limit + 1 });
    const page = toPage(found, Math.min(query.limit, countWithin(found, MAX_PAGE_BYTES)), cursor);
    const bodies = await readBodies(
      db,
      page.rows.map((event) => event.id),
    );
    const data = page.rows.map((event) => showEvent(event, bodies.get(event.id)));
    return c.json({ data, next_cursor: page.nextCursor }, 200);
  });

  app.openapi(operations.read, async (c) => {
    const id = parseId("evt", c.req.valid("param").id, "{id}");
    const event = await getEvent(db, id);
    if (event === undefined) throw new SluiceError("not_found", "There is no event with this id");
    return c.json(withEtag(c, showEvent(event, (await readBodies(db, [id])).get(id))), 200);
  });
}

/** How many of the events, from the first on, have bodies within a size; at least one. */
function countWithin(events: readonly EventRecord[], maxBytes: number): number {
  let bytes = 0;
  const end = events.findIndex((event) => (bytes += event.sizeBytes) > maxBytes);
  return end === -1 ? events.length : Math.max(1, end);
}

function showEvent(event: EventRecord, body: Buffer | undefined): z.infer<typeof eventSchema> {
  const payload = body === undefined ? undefined : parseJson(body);
  return {
    id: formatId("evt", event.id),
    source: formatId("src", event.sourceId),
    webhook_id: event.webhookId,
    type: event.type,
    timestamp: event.occurredAt?.toISOString() ?? null,
    received_at: event.receivedAt.toISOString(),
    scheme: event.scheme,
    body_unbound: event.bodyUnbound,
    user_metadata: event.userMetadata,
    labels: event.labels ?? {},
    filter_errors: (event.filterErrors ?? []).map(({ target, error }) => ({ target: formatId("tgt", target), error })),
    size_bytes: event.sizeBytes,
    payload: isNestedWithin(MAX_LEVELS, payload) ? (payload ?? null) : null,
  };
}
