// POST /v1/targets/{id}:test: tells whether a target works. A worker sends a test event by the same rules as every other
// event, and the endpoint waits for the result.

import { setTimeout as delay } from "node:timers/promises";

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";

import { formatId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { storeRelayEvent } from "@sluice/store/delivery/relay-event";
import { type AttemptRow, type DeliveryRecord, getDelivery, listAttemptsOf } from "@sluice/store/log/records";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { attemptSchema, deliverySchema, showAttempt, showDelivery } from "../log/delivery-schema.ts";
import { idField, jsonAnswer, noBody, noParameters, orNull } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { traceMadeEvent } from "../acting/trace-made-event.ts";
import { findTarget } from "./find-target.ts";
import {
  readTargetId,
  targetParams as params,
  type TargetsDependencies,
  targetTags as tags,
} from "./target-endpoint.ts";

/** Added to the timeout of the target: time for the job to reach a worker, and for the worker to store the attempt. A pull
 * target has no timeout, and this long to pull. */
const GRACE_MS = 5_000;
const FIRST_PAUSE_MS = 10;
const MAX_PAUSE_MS = 250;

const testSchema = z
  .object({
    event: idField("evt"),
    delivery: deliverySchema,
    attempt: orNull(attemptSchema).openapi({ description: "The attempt; null if nobody has made it yet" }),
  })
  .openapi("TargetTest");

const endpoint = createRoute({
  method: "post",
  path: "/v1/targets/{id}:test",
  tags,
  summary: "Send a signed test event to one target, and wait for the attempt",
  description:
    "The event has the type `sluice.test`. The target gets it regardless of its subscription and filter. " +
    "The relay attempts the delivery once, whatever the state of the target is. For a pull target the delivery waits to be pulled; the answer comes when it is acknowledged, or " +
    `after ${GRACE_MS / 1000} seconds.`,
  request: { params, query: noParameters, body: noBody },
  responses: {
    200: jsonAnswer("The attempt is made; `attempt` has its result", testSchema),
    202: jsonAnswer("Nobody has made the attempt yet. The delivery shows the result when somebody does.", testSchema),
    default: problemResponse,
  },
});

export function routeTargetTest(app: OpenAPIHono<ApiEnv>, dependencies: TargetsDependencies): void {
  app.openapi(verbEndpoint(app, endpoint), async (c) => {
    const id = readTargetId(c.req.valid("param").id);
    const { delivery, attempt } = await testTarget(c, dependencies, id, "sluice.test");
    const answer = { event: formatId("evt", delivery.eventId), delivery: showDelivery(delivery, Date.now()) };
    if (attempt === undefined) return c.json({ ...answer, attempt: null }, 202);
    return c.json({ ...answer, attempt: showAttempt(attempt) }, 200);
  });
}

/**
 * Stores a new event of this type for one target, has a worker attempt its delivery once, and waits for the attempt.
 * @returns the delivery and its attempt. The attempt is undefined if no worker made it within the timeout of the target
 * and {@link GRACE_MS}.
 * @throws SluiceError `not_found`
 */
export async function testTarget(
  c: Context<ApiEnv>,
  { db, masterKey, testTarget: askWorker, wakeTarget, tracing, log }: TargetsDependencies,
  targetId: string,
  type: string,
): Promise<{ delivery: DeliveryRecord; attempt: AttemptRow | undefined }> {
  // The change MUST come first: of two requests with one Idempotency-Key, only one gets past it and sends an event.
  const target = await makeChange(c, db, async (tx, record) => {
    const found = await findTarget(tx, masterKey, targetId);
    await record({ action: "target.tested", resourceId: formatId("tgt", targetId) });
    return found;
  });
  const startMs = Date.now();
  const { eventId, deliveryId } = await storeRelayEvent(db, targetId, type);
  traceMadeEvent(tracing, { eventId, type, startMs }, (name) => c.req.header(name));
  // Failure policy: open. The delivery is stored, and the sweep finds it if the target is enabled. This is not awaited:
  // a worker may make the attempt before it resolves.
  const asked = target.kind === "pull" ? wakeTarget(targetId) : askWorker(targetId, deliveryId);
  asked.catch((error: unknown) =>
    log.warn({ err: error, delivery: formatId("dlv", deliveryId) }, "test event not handed to a worker"),
  );
  const attemptMs = target.kind === "pull" ? 0 : target.timeoutSeconds * 1000;
  const deadlineMs = performance.now() + attemptMs + GRACE_MS;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    const [attempt] = await listAttemptsOf(db, [deliveryId], 1);
    if (attempt !== undefined || c.req.raw.signal.aborted || performance.now() >= deadlineMs) {
      const delivery = await getDelivery(db, deliveryId);
      if (delivery === undefined)
        throw new SluiceError("internal", "The delivery of the test event is gone from the log");
      return { delivery, attempt };
    }
    await delay(pauseMs);
  }
}
