// POST /v1/targets/{id}:test: does this target work? A worker sends the event, by the rules of every other, and this
// waits for what comes of it.

import { setTimeout as delay } from "node:timers/promises";

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { formatId } from "@sluice/shared/domain/ids";
import { type AttemptRow, type DeliveryRecord, getDelivery, listAttemptsOf } from "@sluice/store/log/records";
import { storeRelayEvent } from "@sluice/store/delivery/relay-event";
import type { Context } from "hono";

import { problemResponse } from "../http/answer-problem.ts";
import { makeChange } from "../http/change.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { attemptSchema, deliverySchema, showAttempt, showDelivery } from "../log/delivery-schema.ts";
import { noBody, jsonAnswer, noParameters } from "../openapi/endpoint.ts";
import type { ApiEnv } from "../http/api-env.ts";
import {
  findTarget,
  readTargetId,
  targetParams as params,
  type TargetsDependencies,
  targetTags as tags,
} from "./target-endpoint.ts";

/** Beyond the target's own timeout: the way to a worker, and the writing of the attempt. */
const GRACE_MS = 5_000;
const FIRST_PAUSE_MS = 10;
const MAX_PAUSE_MS = 250;

const testSchema = z
  .object({
    event: z.string().openapi({ example: "evt_01h455vb4pex5vsknk084sn02q" }),
    delivery: deliverySchema,
    attempt: z.union([attemptSchema, z.null()]).openapi({ description: "Null while no worker has made it" }),
  })
  .openapi("TargetTest");

const operation = createRoute({
  method: "post",
  path: "/v1/targets/{id}:test",
  tags,
  summary: "Send a signed test event to this target alone, and answer with the attempt",
  description:
    "The event has the type `sluice.test`. It is sent whatever the target's subscription, filter and state, " +
    "and attempted once.",
  request: { params, query: noParameters, body: noBody },
  responses: {
    200: jsonAnswer("It was attempted; `attempt` says what came back", testSchema),
    202: jsonAnswer(
      "No worker attempted it in time; it will be, and the delivery shows it",
      testSchema.extend({ attempt: z.null().openapi({ example: null }) }),
    ),
    default: problemResponse,
  },
});

export function routeTargetTest(app: OpenAPIHono<ApiEnv>, dependencies: TargetsDependencies): void {
  app.openapi(verbEndpoint(app, operation), async (c) => {
    const id = readTargetId(c.req.valid("param").id);
    const { delivery, attempt } = await testTarget(c, dependencies, id, "sluice.test");
    const answer = { event: formatId("evt", delivery.eventId), delivery: showDelivery(delivery, Date.now()) };
    if (attempt === undefined) return c.json({ ...answer, attempt: null }, 202);
    return c.json({ ...answer, attempt: showAttempt(attempt) }, 200);
  });
}

/**
 * Has a worker attempt a new event of this type, once.
 * @returns the delivery, and its attempt unless none was made within the target's timeout.
 * @throws SluiceError `not_found`
 */
export async function testTarget(
  c: Context<ApiEnv>,
  { db, masterKey, testTarget: askWorker, log }: TargetsDependencies,
  targetId: string,
  type: string,
): Promise<{ delivery: DeliveryRecord; attempt: AttemptRow | undefined }> {
  // First, so that a request that comes twice with one Idempotency-Key sends one event at most.
  const target = await makeChange(c, db, async (tx, record) => {
    const found = await findTarget(tx, masterKey, targetId);
    await record({ action: "target.tested", resourceId: formatId("tgt", targetId) });
    return found;
  });
  const { deliveryId } = await storeRelayEvent(db, targetId, type);
  // Failure policy: open. It is stored, and the sweep finds it where the target is enabled. Not awaited: an attempt
  // that is made meanwhile is an answer.
  askWorker(targetId, deliveryId).catch((error: unknown) =>
    log.warn({ err: error, delivery: formatId("dlv", deliveryId) }, "test not handed over"),
  );
  const deadlineMs = performance.now() + target.timeoutSeconds * 1000 + GRACE_MS;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    const [attempt] = await listAttemptsOf(db, [deliveryId], 1);
    if (attempt !== undefined || c.req.raw.signal.aborted || performance.now() >= deadlineMs) {
      const delivery = await getDelivery(db, deliveryId);
      if (delivery === undefined) throw new SluiceError("internal", "A delivery that was stored is gone");
      return { delivery, attempt };
    }
    await delay(pauseMs);
  }
}
