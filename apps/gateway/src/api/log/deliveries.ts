// /v1/deliveries: reads of the deliveries, one for each event and target that it goes to. The verbs that change a
// delivery are in ../acting/delivery-verbs.ts.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Database } from "@sluice/store/connection/database";
import { getDelivery, listAttemptsOf, listDeliveries } from "@sluice/store/log/records";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import { pageParameters } from "../http/list.ts";
import { orderedListOf, orderParameter, readOrderedPage, toOrderedPage } from "../http/ordered-list.ts";
import { problems } from "../http/problems.ts";
import { idParameter, jsonAnswer, noParameters } from "../openapi/endpoint.ts";
import {
  DELIVERY_STATUSES,
  deliverySchema,
  deliveryWithAttempts,
  MAX_ATTEMPTS,
  showAttempt,
  showDelivery,
} from "./delivery-schema.ts";
import { anyOfParameter, deliveryParameters, readDeliveryFilter, timeParameters } from "./filter-parameters.ts";

export interface DeliveriesDependencies {
  db: Database;
}

export const deliveryTags = ["deliveries"];
export const deliveryParams = idParameter("dlv", "the delivery");
const endpoints = {
  list: createRoute({
    method: "get",
    path: "/v1/deliveries",
    tags: deliveryTags,
    summary: "List the deliveries that match every filter",
    description:
      "`status_code` and `error` are compared with the last attempt of a delivery, and `min_attempts` with the " +
      "number of its attempts so far. Each attempt changes them.",
    request: {
      query: z.strictObject({
        ...pageParameters,
        order: orderParameter,
        ...timeParameters,
        ...deliveryParameters,
        status: anyOfParameter(DELIVERY_STATUSES, "statuses", "The status of the delivery"),
      }),
    },
    responses: {
      200: jsonAnswer("A page", orderedListOf(deliverySchema, "DeliveryPage")),
      ...problems("invalid_id"),
      default: problemResponse,
    },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/deliveries/{id}",
    tags: deliveryTags,
    summary: "Read a delivery with its attempts",
    description: `The attempts are the newest ${MAX_ATTEMPTS}, with the oldest of them first.`,
    request: { params: deliveryParams, query: noParameters },
    responses: { 200: jsonAnswer("The delivery", deliveryWithAttempts, "ETag"), default: problemResponse },
  }),
};

export function routeDeliveries(app: OpenAPIHono<ApiEnv>, { db }: DeliveriesDependencies): void {
  app.openapi(endpoints.list, async (c) => {
    const query = c.req.valid("query");
    const filter = { ...(await readDeliveryFilter(db, query)), statuses: query.status };
    const { page, cursor } = await readOrderedPage(db, "deliveries", query, filter);
    const found = await listDeliveries(db, filter, page);
    const { rows, cursors } = toOrderedPage(found, query.limit, cursor);
    const nowMs = Date.now();
    const data = rows.map((delivery) => showDelivery(delivery, nowMs));
    return c.json({ data, ...cursors }, 200);
  });

  app.openapi(endpoints.read, async (c) => {
    const id = readDeliveryId(c.req.valid("param").id);
    // The attempts MUST be read after the delivery, so that they include every attempt that its state tells of.
    const delivery = await getDelivery(db, id);
    if (delivery === undefined) throw deliveryNotFound();
    const attempts = await listAttemptsOf(db, [id], MAX_ATTEMPTS);
    const shown = { ...showDelivery(delivery, Date.now()), attempts: attempts.map(showAttempt) };
    return c.json(withEtag(c, shown), 200);
  });
}

export const readDeliveryId = (text: string) => parseId("dlv", text, "{id}");

export const deliveryNotFound = () => new SluiceError("not_found", "There is no delivery with this id");
