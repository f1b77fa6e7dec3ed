// /v1/tail: follows the log live, as server-sent events. This file reads the request and shows the messages; tails.ts
// keeps the connections.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Database } from "@sluice/store/connection/database";
import { currentPosition, isReadable, parsePosition, type JournalPosition } from "@sluice/store/journal/changes";
import { TAIL_KINDS, type TailMessage } from "@sluice/store/journal/tail";

import { problemResponse } from "../http/answer-problem.ts";
import { type ApiEnv, callerOf, holderIdOf } from "../http/api-env.ts";
import { problems } from "../http/problems.ts";
import { attemptSchema, DELIVERY_STATUSES, deliverySchema, showAttempt, showDelivery } from "./delivery-schema.ts";
import { eventSchema, showEvent } from "./events.ts";
import { anyOfParameter, deliveryParameters, readDeliveryFilter } from "./filter-parameters.ts";
import { TAIL_LIMITS, type Tails } from "./tails.ts";

export interface TailDependencies {
  db: Database;
  tails: Tails;
}

const deliveryChange = z.object({
  change: z.enum(["created", "succeeded", "exhausted", "cancelled", "retried"]).openapi("DeliveryChangeKind"),
  at: z.string().openapi({ format: "date-time", description: "When the change was written" }),
  delivery: deliverySchema.openapi({
    description: "The delivery at the time when this message is sent; it may have changed again since `at`",
  }),
});

const messageOf = <Kind extends string, Data extends z.ZodType>(name: string, kind: Kind, data: Data) =>
  z.object({ event: z.literal(kind), data }).openapi(name);

/** A message as a client's `EventSource` gets it: `event` is its type, and `data` is JSON. */
const messageSchema = z
  .discriminatedUnion("event", [
    messageOf("EventMessage", "event", eventSchema.omit({ payload: true }).openapi("TailedEvent")),
    messageOf("AttemptMessage", "attempt", attemptSchema),
    messageOf("DeliveryMessage", "delivery", deliveryChange.openapi("DeliveryChange")),
    messageOf("OverflowMessage", "overflow", z.object({ detail: z.string() }).openapi("Overflow")),
  ])
  .openapi("TailMessage");

const MAX_SECONDS = 86_400;
/** The reference page shows an answer when it is complete, so it asks for this long. */
const SHOWN_SECONDS = 5;

const forSeconds = z
  .string()
  .refine(
    (text) => /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= MAX_SECONDS,
    `must be an integer from 1 to ${MAX_SECONDS}`,
  )
  .transform(Number)
  .optional()
  .openapi({
    type: "integer",
    minimum: 1,
    maximum: MAX_SECONDS,
    description: "Ends the stream after so many seconds. Without it the stream has no end.",
    param: { example: SHOWN_SECONDS },
  });

const follow = createRoute({
  method: "get",
  path: "/v1/tail",
  tags: ["tail"],
  summary: "Follow the log as it happens",
  description:
    "Sends events, attempts and changes of deliveries as server-sent events. The filters are those of `/v1/deliveries`. A filter leaves out the kinds of message that it does not apply to: " +
    "an event has no `target`, and an attempt has no `status`. A message is sent about a second after it was " +
    "written, in the order of writing, and once on each connection.\n\nA client that reconnects with " +
    "`last_event_id`, or with the header `Last-Event-ID` as an `EventSource` does by itself, continues after that message. It misses nothing, even when " +
    "something was committed late. What one statement of the relay wrote may be sent a second time. An id is valid " +
    "for 23 hours; after that, read the lists. Without an id the tail begins now.\n\nWhen there is nothing else to " +
    "send, a comment is sent every 15 seconds. A client that reads nothing for 30 seconds gets `event: overflow` and " +
    `is disconnected. Each gateway serves ${TAIL_LIMITS.maxTails} clients, and ${TAIL_LIMITS.maxTailsOfKey} of ` +
    "one API key; it answers another one with 503 and `Retry-After`. A tail ends when its key is revoked or expires, or its session ends.",
  request: {
    query: z.strictObject({
      ...deliveryParameters,
      status: anyOfParameter(DELIVERY_STATUSES, "statuses", "The status that a delivery changed to"),
      kind: anyOfParameter(TAIL_KINDS, "kinds", "The kind of message"),
      last_event_id: z
        .string()
        .optional()
        .openapi({
          description:
            "The `id` of the last message received: the stream continues after it. An `EventSource` that reconnects sends " +
            "the same as the header `Last-Event-ID`, which takes precedence.",
          example: "1795000000000_1:1:",
        }),
      for_seconds: forSeconds,
    }),
  },
  responses: {
    200: {
      description: "A stream of messages. This schema describes each of them.",
      content: { "text/event-stream": { schema: messageSchema } },
    },
    ...problems("invalid_id", "invalid_cursor"),
    default: problemResponse,
  },
});

export function routeTail(app: OpenAPIHono<ApiEnv>, { db, tails }: TailDependencies): void {
  app.openAPIRegistry.register("TailKind", z.enum(TAIL_KINDS));
  app.openapi(follow, async (c) => {
    const query = c.req.valid("query");
    const filter = { ...(await readDeliveryFilter(db, query)), statuses: query.status, kinds: query.kind };
    const given = c.req.header("last-event-id") ?? query.last_event_id;
    const caller = callerOf(c);
    const holderId = holderIdOf(caller);
    tails.requireRoom(holderId);
    const position = given === undefined || given === "" ? await currentPosition(db) : await readPosition(db, given);
    const headers = {
      "content-type": "text/event-stream; charset=utf-8",
      // Tells nginx, and other proxies that know this header, to pass each message on at once.
      "x-accel-buffering": "no",
    };
    // A HEAD request reads no body, so it takes no place among the tails.
    if (c.req.method === "HEAD") return c.body(null, 200, headers) as never;
    return c.body(
      tails.open({
        holderId,
        isStillValid: caller.isStillValid,
        filter,
        position,
        durationMs: (query.for_seconds ?? Infinity) * 1_000,
        show: showTailEntry,
        outgoing: c.env?.outgoing,
      }),
      200,
      headers,
    ) as never;
  });
}

/** @throws SluiceError `invalid_cursor` when the id is no position of the journal, or one that is no longer readable */
async function readPosition(db: Database, given: string): Promise<JournalPosition> {
  const position = parsePosition(given);
  if (position !== undefined && (await isReadable(db, position))) return position;
  const detail = "is not an id of this tail, or is older than 23 hours; read the lists, and start again without it";
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
