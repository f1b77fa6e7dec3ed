// /v1/deliveries: where events went, each attempt, and what happens next.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { formatId, parseId } from "@sluice/shared/domain/ids";
import type { Change } from "@sluice/store/requests/audit";
import { cancelDelivery, type CancelResult, retryDelivery, type RetryResult } from "@sluice/store/delivery/by-hand";
import type { Connection, Database } from "@sluice/store/connection/database";
import { type DeliveryRecord, getDelivery, listAttemptsOf, listDeliveries } from "@sluice/store/log/records";
import type { Context } from "hono";

import { problemResponse } from "../http/answer-problem.ts";
import { makeChange } from "../http/change.ts";
import { verb } from "../http/custom-verb.ts";
import {
  DELIVERY_STATUSES,
  deliverySchema,
  deliveryWithAttempts,
  MAX_ATTEMPTS,
  showAttempt,
  showDelivery,
} from "./delivery-schema.ts";
import { withEtag } from "../http/etag.ts";
import { listOf, orderParameter, pageParameters, readPage, toPage } from "../http/list.ts";
import { anyOfParameter, deliveryParameters, readDeliveryFilter, timeParameters } from "./filter-parameters.ts";
import { idParameter, jsonAnswer, noBody, noParameters } from "../openapi/endpoint.ts";
import { problems } from "../http/problems.ts";
import type { ApiEnv } from "../http/request-log.ts";
import { wake, type WakeDependencies } from "../acting/wake.ts";

export interface DeliveriesDependencies extends WakeDependencies {
  db: Database;
}

const tags = ["deliveries"];
const params = idParameter("dlv_01h455vb4pex5vsknk084sn02q");
const operations = {
  list: createRoute({
    method: "get",
    path: "/v1/deliveries",
    tags,
    summary: "Deliveries that match every filter",
    description: "What the status code, the error and the attempts of a delivery are changes with each attempt.",
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
      200: jsonAnswer("A page", listOf(deliverySchema)),
      ...problems("invalid_id"),
      default: problemResponse,
    },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/deliveries/{id}",
    tags,
    summary: `Read a delivery with its attempts, the newest ${MAX_ATTEMPTS} of them, oldest first`,
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The delivery", deliveryWithAttempts), default: problemResponse },
  }),
  retry: createRoute({
    method: "post",
    path: "/v1/deliveries/{id}:retry",
    tags,
    summary: "Attempt it now, whatever its status, and until a new deadline",
    description:
      "A delivery to a target that is paused or disabled, or whose breaker is open, becomes pending and waits for it.",
    request: { params, query: noParameters, body: noBody },
    responses: {
      200: jsonAnswer("The delivery, due now", deliverySchema),
      ...problems("target_gone", "delivery_in_flight"),
      default: problemResponse,
    },
  }),
  cancel: createRoute({
    method: "post",
    path: "/v1/deliveries/{id}:cancel",
    tags,
    summary: "Make no more attempts of a delivery that is pending",
    description:
      "One that a worker has in hand is a 409 (`delivery_in_flight`), and so is one that is finished " +
      "(`delivery_finished`). What was cancelled can be retried.",
    request: { params, query: noParameters, body: noBody },
    responses: {
      200: jsonAnswer("The delivery, cancelled", deliverySchema),
      ...problems("delivery_in_flight", "delivery_finished"),
      default: problemResponse,
    },
  }),
};

export function routeDeliveries(app: OpenAPIHono<ApiEnv>, dependencies: DeliveriesDependencies): void {
  const { db } = dependencies;

  app.openapi(operations.list, async (c) => {
    const query = c.req.valid("query");
    const filter = { ...(await readDeliveryFilter(db, query)), statuses: query.status };
    const { page, cursor } = readPage("deliveries", query, filter);
    const found = await listDeliveries(db, filter, page);
    const { rows, nextCursor } = toPage(found.rows, query.limit, cursor, found.searchedTo);
    const nowMs = Date.now();
    const data = rows.map((delivery) => showDelivery(delivery, nowMs));
    return c.json({ data, next_cursor: nextCursor }, 200);
  });

  app.openapi(operations.read, async (c) => {
    const id = readDeliveryId(c.req.valid("param").id);
    // Attempts after the delivery: then all those that its state tells of are there.
    const delivery = await getDelivery(db, id);
    if (delivery === undefined) throw notFound();
    const attempts = await listAttemptsOf(db, [id], MAX_ATTEMPTS);
    const shown = { ...showDelivery(delivery, Date.now()), attempts: attempts.map(showAttempt) };
    return c.json(withEtag(c, shown), 200);
  });

  app.openapi(verb(app, operations.retry), async (c) => {
    const delivery = await change(c, c.req.valid("param").id, "delivery.retried", retryDelivery);
    wake(dependencies, delivery.targetId);
    return c.json(showDelivery(delivery, Date.now()), 200);
  });

  app.openapi(verb(app, operations.cancel), async (c) => {
    const delivery = await change(c, c.req.valid("param").id, "delivery.cancelled", cancelDelivery);
    return c.json(showDelivery(delivery, Date.now()), 200);
  });

  /** @throws SluiceError for what could not be made of the delivery. */
  function change(
    c: Context<ApiEnv>,
    shownId: string,
    action: Change["action"],
    make: (tx: Connection, id: string) => Promise<RetryResult | CancelResult>,
  ): Promise<DeliveryRecord> {
    const id = readDeliveryId(shownId);
    return makeChange(c, db, async (tx, record) => {
      const earlier = await getDelivery(tx, id);
      const result = await make(tx, id);
      if (!("delivery" in result)) throw refusals[result.kind]();
      await record({
        action,
        resourceId: formatId("dlv", id),
        ...(earlier !== undefined && { before: showDelivery(earlier, Date.now()) }),
        after: showDelivery(result.delivery, Date.now()),
      });
      return result.delivery;
    });
  }
}

const readDeliveryId = (text: string) => parseId("dlv", text, "{id}");

const notFound = () => new SluiceError("not_found", "There is no delivery with this id");

const refusals = {
  not_found: notFound,
  in_flight: () =>
    new SluiceError("delivery_in_flight", "A worker has this delivery in hand; see first what becomes of it"),
  finished: () => new SluiceError("delivery_finished", "This delivery is finished: no attempt of it is to come"),
  target_gone: () => new SluiceError("target_gone", "The target of this delivery was deleted"),
} satisfies Record<Exclude<(RetryResult | CancelResult)["kind"], "due" | "cancelled">, () => SluiceError>;
