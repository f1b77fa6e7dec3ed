// /v1/set-aside-events: shows the acknowledged events that could not be stored, with the error, and retries or discards
// them.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import type { QueuedEvent } from "@sluice/queue/jobs";
import type { SetAsideStore } from "@sluice/queue/queue";
import { formatId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import type { Database } from "@sluice/store/connection/database";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { withEtag } from "../http/etag.ts";
import { listOf, pageParameters } from "../http/list.ts";
import { idField, jsonAnswer, noBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { queueStore } from "../openapi/queue-store.ts";
import {
  ask,
  countSetAside,
  findSetAside,
  listSetAside,
  setAsideNotFound,
  retryAllSetAside,
  type SetAsideEntry,
} from "./set-aside-stores.ts";

/** The total size of the jobs that are read for one page. A page shows only the sizes of their bodies. */
const MAX_PAGE_BYTES = 8 * 1024 * 1024;

export interface SetAsideDependencies {
  db: Database;
  /** What each store of the queue has set aside. */
  setAside: readonly SetAsideStore[];
  log: Logger;
}

const setAsideId = z.string().openapi({ pattern: "^(redis|postgres)-.+$", example: "redis-42" });

const setAsideEvent = z
  .object({
    id: setAsideId,
    store: queueStore,
    event: idField("evt").nullable().openapi({ description: "The id that the event gets when it is stored" }),
    source: idField("src").nullable(),
    webhook_id: z.string().nullable(),
    received_at: z.string().nullable().openapi({ format: "date-time" }),
    failed_at: z.string().openapi({ format: "date-time" }),
    error: z
      .string()
      .openapi({ description: "Why the event could not be stored", example: "invalid byte sequence for encoding" }),
    starts: z.int().openapi({ description: "How often a worker tried to store the event" }),
    size_bytes: z.int().nullable(),
  })
  .openapi("SetAsideEvent", { description: "A field is null when it cannot be read from the job in the queue." });

const setAsideWithBody = setAsideEvent
  .extend({
    body: z.string().nullable().openapi({ description: "The body of the event as it was received, in base64" }),
    job: z.string().nullable().openapi({
      description: "The job in the queue. Null when the body could be read from it.",
    }),
  })
  .openapi("SetAsideEventWithBody");

const tags = ["set-aside events"];
const params = z.object({ id: setAsideId.openapi({ description: "The id of the set-aside event" }) });
const endpoints = {
  list: createRoute({
    method: "get",
    path: "/v1/set-aside-events",
    tags,
    summary: "List the events that could not be stored, newest first",
    description: "A page with large events holds fewer events than `limit`.",
    request: { query: z.strictObject(pageParameters) },
    responses: { 200: jsonAnswer("A page", listOf(setAsideEvent, "SetAsideEventPage")), default: problemResponse },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/set-aside-events/{id}",
    tags,
    summary: "Read a set-aside event with its body",
    description: "The body is in base64, because it need not be text.",
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The event", setAsideWithBody, "ETag"), default: problemResponse },
  }),
  retry: createRoute({
    method: "post",
    path: "/v1/set-aside-events/{id}:retry",
    tags,
    summary: "Try once more to store a set-aside event",
    description: "When that fails, the event is set aside again.",
    request: { params, query: noParameters, body: noBody },
    responses: { 200: jsonAnswer("The event as it was set aside", setAsideEvent), default: problemResponse },
  }),
  retryAll: createRoute({
    method: "post",
    path: "/v1/set-aside-events:retry",
    tags,
    summary: "Try once more to store every set-aside event",
    description: "The events that cannot be stored are set aside again. They are newer then, so each is tried once.",
    request: { query: noParameters, body: noBody },
    responses: {
      200: jsonAnswer("The number of retried events", z.object({ count: z.int() }).openapi("RetriedSetAsideEvents")),
      default: problemResponse,
    },
  }),
  discard: createRoute({
    method: "delete",
    path: "/v1/set-aside-events/{id}",
    tags,
    summary: "Discard a set-aside event for good",
    description:
      "The event is then only in this answer: its sender was told that it was accepted, and does not send it again.",
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The discarded event", setAsideWithBody), default: problemResponse },
  }),
};

export function routeSetAsideEvents(app: OpenAPIHono<ApiEnv>, dependencies: SetAsideDependencies): void {
  const { setAside: stores, db, log } = dependencies;

  app.openapi(endpoints.list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const { entries, nextCursor } = await listSetAside(stores, cursor, limit, MAX_PAGE_BYTES);
    return c.json({ data: entries.map((entry) => showSetAside(entry)), next_cursor: nextCursor }, 200);
  });

  app.openapi(endpoints.read, async (c) => {
    const { entry } = await findSetAside(stores, c.req.valid("param").id);
    return c.json(withEtag(c, showWithBody(entry)), 200);
  });

  // The queue is in no transaction of PostgreSQL. Each act therefore comes after its entry in the audit trail is
  // committed: a gateway that dies in between leaves an entry without its act, and never an act without its entry.
  app.openapi(verbEndpoint(app, endpoints.retry), async (c) => {
    const { entry, store } = await findSetAside(stores, c.req.valid("param").id);
    const shown = showSetAside(entry);
    await makeChange(c, db, (_, record) =>
      record({ action: "set_aside_event.retried", resourceId: shown.id, before: shown }),
    );
    if (!(await ask(() => store.retry(entry.id)))) throw setAsideNotFound();
    return c.json(shown, 200);
  });

  app.openapi(verbEndpoint(app, endpoints.retryAll), async (c) => {
    const known = await countSetAside(stores);
    await makeChange(c, db, (_, record) =>
      record({ action: "set_aside_event.all_retried", resourceId: "set-aside-events", before: { count: known } }),
    );
    const count = await retryAllSetAside(stores);
    return c.json({ count }, 200);
  });

  app.openapi(endpoints.discard, async (c) => {
    const { entry, store } = await findSetAside(stores, c.req.valid("param").id);
    const shown = showWithBody(entry);
    await makeChange(c, db, (_, record) =>
      record({ action: "set_aside_event.discarded", resourceId: shown.id, before: showSetAside(entry) }),
    );
    if (!(await ask(() => store.discard(entry.id)))) throw setAsideNotFound();
    log.warn({ event: shown.event, webhook_id: shown.webhook_id, set_aside: shown.id }, "set-aside event discarded");
    return c.json(shown, 200);
  });
}

/**
 * The event of a job, with unchecked fields; undefined when the job does not hold exactly one event. Events are set
 * aside one by one, but the data of a job may be anything.
 */
function readEvent(data: string): { [Field in keyof QueuedEvent]?: unknown } | undefined {
  try {
    const { events } = JSON.parse(data) as { events: unknown };
    if (!Array.isArray(events) || events.length !== 1) return undefined;
    const [event] = events as unknown[];
    return typeof event === "object" && event !== null ? event : undefined;
  } catch {
    return undefined;
  }
}

function showSetAside(entry: SetAsideEntry, event = readEvent(entry.data)): z.infer<typeof setAsideEvent> {
  const received = typeof event?.receivedAtMs === "number" ? new Date(event.receivedAtMs) : undefined;
  return {
    id: `${entry.store}-${entry.id}`,
    store: entry.store,
    event: showId("evt", event?.id),
    source: showId("src", event?.sourceId),
    webhook_id: typeof event?.webhookId === "string" ? event.webhookId : null,
    received_at: received === undefined || Number.isNaN(received.getTime()) ? null : received.toISOString(),
    failed_at: new Date(entry.failedAtMs).toISOString(),
    error: entry.error,
    starts: entry.starts,
    size_bytes: typeof event?.body === "string" ? Buffer.byteLength(event.body, "base64") : null,
  };
}

function showWithBody(entry: SetAsideEntry): z.infer<typeof setAsideWithBody> {
  const event = readEvent(entry.data);
  const body = typeof event?.body === "string" ? event.body : null;
  return { ...showSetAside(entry, event), body, job: body === null ? entry.data : null };
}

function showId(prefix: "evt" | "src", uuid: unknown): string | null {
  return typeof uuid === "string" && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid)
    ? formatId(prefix, uuid)
    : null;
}
