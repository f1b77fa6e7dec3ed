// /v1/tail: what is written to the log, as it is written, as server-sent events.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Database } from "@sluice/store/connection/database";
import { currentPosition, isReadable, parsePosition, type JournalPosition } from "@sluice/store/journal/changes";
import { TAIL_KINDS, type TailMessage } from "@sluice/store/journal/tail";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { problems } from "../http/problems.ts";
import { attemptSchema, DELIVERY_STATUSES, deliverySchema, showAttempt, showDelivery } from "./delivery-schema.ts";
import { eventSchema, showEvent } from "./events.ts";
import { anyOfParameter, deliveryParameters, readDeliveryFilter } from "./filter-parameters.ts";
import type { Tails } from "./tails.ts";

export interface TailDependencies {
  db: Database;
  tails: Tails;
}

const deliveryMessage = z.object({
  change: z.enum(["created", "succeeded", "exhausted", "cancelled", "retried"]),
  at: z.string().openapi({ format: "date-time", description: "When it was written" }),
  delivery: deliverySchema.openapi({ description: "As it is when this is sent: it may have gone on since" }),
});

/** A message as a client's `EventSource` gives it: `event` is its type, and `data` is JSON. */
const messageSchema = z
  .union([
    z.object({ event: z.literal("event"), data: eventSchema.omit({ payload: true }) }),
    z.object({ event: z.literal("attempt"), data: attemptSchema }),
    z.object({ event: z.literal("delivery"), data: deliveryMessage }),
    z.object({ event: z.literal("overflow"), data: z.object({ detail: z.string() }) }),
  ])
  .openapi("TailMessage");

const lastEventId = z.string().max(8_192).optional().openapi({ description: "`id` of the last message that came" });

const follow = createRoute({
  method: "get",
  path: "/v1/tail",
  tags: ["tail"],
  summary: "Events, attempts and changes of deliveries as they happen, as server-sent events",
  description:
    "With the filters of `/v1/deliveries`. A filter leaves out the kinds of message that it does not apply to: of an event " +
    "there is no `target`, and of an attempt no `status`. Messages come within a second or so, in the order in which they were " +
    "written; each comes once on a connection.\n\nA client that comes back with `Last-Event-ID`, as an `EventSource` does " +
    "by itself, goes on where it was: nothing is missed, however late it was committed, and what one statement of the relay " +
    "wrote may come a second time. An id is good for 23 hours; after that the lists say what happened. Without one the " +
    "tail begins now. A comment comes every 15 seconds when nothing else does. A client that takes nothing for 30 seconds gets " +
    "`event: overflow` and is cut off. Each gateway serves 32 clients; beyond that it answers 503 with `Retry-After`.",
  request: {
    query: z.strictObject({
      ...deliveryParameters,
      status: anyOfParameter(DELIVERY_STATUSES, "statuses", "That a delivery changed to"),
      kind: anyOfParameter(TAIL_KINDS, "kinds", "Of messages"),
      last_event_id: lastEventId.openapi({ description: "As the header, which goes before it" }),
    }),
    headers: z.object({ "last-event-id": lastEventId }),
  },
  responses: {
    200: {
      description: "A stream without an end; each message is as described",
      content: { "text/event-stream": { schema: messageSchema } },
    },
    ...problems("invalid_id", "invalid_cursor"),
    default: problemResponse,
  },
});

export function routeTail(app: OpenAPIHono<ApiEnv>, { db, tails }: TailDependencies): void {
  app.openapi(follow, async (c) => {
    const query = c.req.valid("query");
    const filter = { ...(await readDeliveryFilter(db, query)), statuses: query.status, kinds: query.kind };
    const given = c.req.valid("header")["last-event-id"] ?? query.last_event_id;
    tails.requireRoom();
    const position = given === undefined || given === "" ? await currentPosition(db) : await readPosition(db, given);
    const headers = {
      "content-type": "text/event-stream; charset=utf-8",
      // nginx, and what follows its example: pass each message on at once.
      "x-accel-buffering": "no",
    };
    // Nobody would read it.
    if (c.req.method === "HEAD") return c.body(null, 200, headers) as never;
    return c.body(
      tails.open({ filter, position, show: showTailEntry, outgoing: c.env?.outgoing }),
      200,
      headers,
    ) as never;
  });
}

/** @throws SluiceError `invalid_cursor` */
async function readPosition(db: Database, given: string): Promise<JournalPosition> {
  const position = parsePosition(given);
  if (position !== undefined && (await isReadable(db, position))) return position;
  const detail = "is not an id of this tail, or is older than 23 hours: read the lists, and begin anew without it";
  throw new SluiceError("invalid_cursor", `The last event id ${detail}`, {
    faults: [{ pointer: "Last-Event-ID", detail }],
  });
}

function showTailEntry(message: TailMessage): { event: string; data: object } {
  if (message.kind === "attempt") return { event: "attempt", data: showAttempt(message.attempt) };
  if (message.kind === "event") {
    const { payload: _, ...data } = showEvent(message.event, undefined);
    return { event: "event", data };
  }
  const { change, at, delivery } = message;
  const data = {
    change: change === "reopened" ? "retried" : change,
    at: at.toISOString(),
    delivery: showDelivery(delivery, Date.now()),
  };
  return { event: "delivery", data };
}
