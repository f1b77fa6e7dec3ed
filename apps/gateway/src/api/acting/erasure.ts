// POST /v1/events/{id}:erase: removes what an event contained, and keeps the trace of it. Needs the scope `admin`: nothing brings
// the content back.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Database } from "@sluice/store/connection/database";
import { type Erasure, eraseEvent } from "@sluice/store/delivery/erasure";

import { needsAdmin } from "../access/authentication.ts";
import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { problems } from "../http/problems.ts";
import { eventParams, showEvent } from "../log/events.ts";
import { idField, jsonAnswer, noBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";

export interface ErasureDependencies {
  db: Database;
}

const erased = z
  .object({
    event: idField("evt"),
    body_removed_at: z.string().openapi({ format: "date-time", description: "When the body was removed" }),
    cancelled: z.int().openapi({
      description: "The number of unfinished deliveries that were cancelled",
      example: 1,
    }),
    in_flight: z.int().openapi({
      description:
        "How many of the cancelled deliveries a worker had in hand. It may be sending the event now, and may do so for up to a " +
        "minute.",
      example: 0,
    }),
  })
  .openapi("ErasedEvent");

const endpoint = createRoute({
  method: "post",
  path: "/v1/events/{id}:erase",
  tags: ["events"],
  summary: "Erase what an event contains",
  description:
    "Removes the body at once, with everything that was taken from it: payload, user metadata, labels, the terms by which it " +
    "is found, and the excerpts of what targets answered. The trace stays: ids, type, times, deliveries and attempts. " +
    "Unfinished deliveries are cancelled. The event can no longer be replayed (`body_removed`), and its `webhook_id` is " +
    "still a duplicate. Erasing again changes nothing. Needs a key with the scope `admin`. An event that waits in the queue " +
    "is not in the log yet, and is a 404: erase it when it is. Discard one that was set aside.",
  request: { params: eventParams, query: noParameters, body: noBody },
  responses: {
    200: jsonAnswer("The event is erased", erased),
    ...problems("forbidden", "invalid_id"),
    default: problemResponse,
  },
});

export function routeErasure(app: OpenAPIHono<ApiEnv>, { db }: ErasureDependencies): void {
  const route = verbEndpoint(app, endpoint);
  app.openapi({ ...route, middleware: [needsAdmin, ...route.middleware] }, async (c) => {
    const id = parseId("evt", c.req.valid("param").id, "{id}");
    const shown = await makeChange(c, db, async (tx, record) => {
      const erasure = await eraseEvent(tx, id);
      if (erasure.kind === "not_found") throw notInLog();
      const answer = showErasure(erasure);
      if (erasure.kind === "erased") await record({ action: "event.erased", resourceId: answer.event, after: answer });
      return answer;
    });
    return c.json(shown, 200);
  });
}

function showErasure({ event, cancelled, inFlight }: Exclude<Erasure, { kind: "not_found" }>) {
  const { id, body_removed_at: removedAt } = showEvent(event, undefined);
  return { event: id, body_removed_at: removedAt ?? "", cancelled, in_flight: inFlight };
}

const notInLog = () =>
  new SluiceError(
    "not_found",
    "There is no event with this id in the log. An event that still waits in the queue cannot be erased yet: try again when it " +
      "is in the log, or discard it when it was set aside",
  );
