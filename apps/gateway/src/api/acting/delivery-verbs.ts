// POST /v1/deliveries/{id}:retry and :cancel: the verbs that an operator uses on one delivery.

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";

import { formatId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Connection, Database } from "@sluice/store/connection/database";
import { cancelDelivery, type CancelResult, retryDelivery, type RetryResult } from "@sluice/store/delivery/by-hand";
import { type DeliveryRecord, getDelivery } from "@sluice/store/log/records";
import type { AuditAction } from "@sluice/store/requests/audit-actions";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { problems } from "../http/problems.ts";
import { deliveryNotFound, deliveryParams, deliveryTags, readDeliveryId } from "../log/deliveries.ts";
import { bodyRemoved } from "../log/events.ts";
import { deliverySchema, showDelivery } from "../log/delivery-schema.ts";
import { jsonAnswer, noBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { wake, type WakeDependencies } from "./wake.ts";

export interface DeliveryVerbsDependencies extends WakeDependencies {
  db: Database;
}

const endpoints = {
  retry: createRoute({
    method: "post",
    path: "/v1/deliveries/{id}:retry",
    tags: deliveryTags,
    summary: "Retry a delivery now",
    description:
      "The delivery may have any status, and gets a new deadline. When its target is paused or disabled, or its " +
      "circuit breaker is open, the delivery becomes `pending` and waits for the target. When the body of its event was " +
      "removed, there is nothing to send (`body_removed`).",
    request: { params: deliveryParams, query: noParameters, body: noBody },
    responses: {
      200: jsonAnswer("The delivery, due now", deliverySchema),
      ...problems("target_gone", "delivery_in_flight", "body_removed"),
      default: problemResponse,
    },
  }),
  cancel: createRoute({
    method: "post",
    path: "/v1/deliveries/{id}:cancel",
    tags: deliveryTags,
    summary: "Cancel a pending delivery",
    description:
      "A cancelled delivery gets no more attempts, but can be retried later. A delivery that a worker holds is a 409 " +
      "(`delivery_in_flight`), and so is one that is finished (`delivery_finished`).",
    request: { params: deliveryParams, query: noParameters, body: noBody },
    responses: {
      200: jsonAnswer("The delivery, cancelled", deliverySchema),
      ...problems("delivery_in_flight", "delivery_finished"),
      default: problemResponse,
    },
  }),
};

export function routeDeliveryVerbs(app: OpenAPIHono<ApiEnv>, dependencies: DeliveryVerbsDependencies): void {
  const { db } = dependencies;

  app.openapi(verbEndpoint(app, endpoints.retry), async (c) => {
    const delivery = await change(c, c.req.valid("param").id, "delivery.retried", retryDelivery);
    wake(dependencies, delivery.targetId);
    return c.json(showDelivery(delivery, Date.now()), 200);
  });

  app.openapi(verbEndpoint(app, endpoints.cancel), async (c) => {
    const delivery = await change(c, c.req.valid("param").id, "delivery.cancelled", cancelDelivery);
    return c.json(showDelivery(delivery, Date.now()), 200);
  });

  /** @throws SluiceError `invalid_id`, or the reason why the delivery was not changed */
  function change(
    c: Context<ApiEnv>,
    shownId: string,
    action: AuditAction,
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

const refusals = {
  not_found: deliveryNotFound,
  in_flight: () =>
    new SluiceError("delivery_in_flight", "A worker is attempting this delivery; wait for the result and try again"),
  finished: () => new SluiceError("delivery_finished", "This delivery is finished: there is no attempt left to cancel"),
  body_removed: bodyRemoved,
  target_gone: () => new SluiceError("target_gone", "The target of this delivery was deleted"),
} satisfies Record<Exclude<(RetryResult | CancelResult)["kind"], "due" | "cancelled">, () => SluiceError>;
