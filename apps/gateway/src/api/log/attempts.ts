// /v1/attempts: every attempt to send a delivery to its target, across all deliveries. Read-only.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Database } from "@sluice/store/connection/database";
import { getAttempt, listAttempts } from "@sluice/store/log/records";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import { pageParameters } from "../http/list.ts";
import { orderedListOf, orderParameter, readOrderedPage, toOrderedPage } from "../http/ordered-list.ts";
import { problems } from "../http/problems.ts";
import { idParameter, jsonAnswer, noParameters } from "../openapi/endpoint.ts";
import { ATTEMPT_TRIGGERS, attemptSchema, showAttempt } from "./delivery-schema.ts";
import {
  anyOfParameter,
  deliveryParameter,
  deliveryParameters,
  readDeliveryFilter,
  readFilterId,
  timeParameters,
} from "./filter-parameters.ts";

export interface AttemptsDependencies {
  db: Database;
}

const tags = ["attempts"];
const endpoints = {
  list: createRoute({
    method: "get",
    path: "/v1/attempts",
    tags,
    summary: "List the attempts that match every filter",
    description:
      "`status_code` and `error` are compared with each attempt itself, and `min_attempts` is compared with its " +
      "`number`.",
    request: {
      query: z.strictObject({
        ...pageParameters,
        order: orderParameter,
        ...timeParameters,
        ...deliveryParameters,
        delivery: deliveryParameter,
        trigger: anyOfParameter(ATTEMPT_TRIGGERS, "triggers", "Why the attempt was made"),
      }),
    },
    responses: {
      200: jsonAnswer("A page", orderedListOf(attemptSchema, "AttemptPage")),
      ...problems("invalid_id"),
      default: problemResponse,
    },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/attempts/{id}",
    tags,
    summary: "Read an attempt",
    description: "An attempt never changes. It is kept as long as the log.",
    request: { params: idParameter("att", "the attempt"), query: noParameters },
    responses: { 200: jsonAnswer("The attempt", attemptSchema, "ETag"), default: problemResponse },
  }),
};

export function routeAttempts(app: OpenAPIHono<ApiEnv>, { db }: AttemptsDependencies): void {
  app.openapi(endpoints.list, async (c) => {
    const query = c.req.valid("query");
    const deliveryId = readFilterId("dlv", query.delivery, "?delivery");
    const filter = { ...(await readDeliveryFilter(db, query)), deliveryId, triggers: query.trigger };
    const { page, cursor } = await readOrderedPage(db, "attempts", query, filter);
    const found = await listAttempts(db, filter, page);
    const { rows, cursors } = toOrderedPage(found, query.limit, cursor);
    return c.json({ data: rows.map(showAttempt), ...cursors }, 200);
  });

  app.openapi(endpoints.read, async (c) => {
    const attempt = await getAttempt(db, parseId("att", c.req.valid("param").id, "{id}"));
    if (attempt === undefined) throw new SluiceError("not_found", "There is no attempt with this id");
    return c.json(withEtag(c, showAttempt(attempt)), 200);
  });
}
