// A delivery and an attempt as the API shows them.

import { z } from "@hono/zod-openapi";

import { formatId } from "@sluice/shared/domain/ids";
import type { AttemptRow, DeliveryRecord } from "@sluice/store/log/records";

export const DELIVERY_STATUSES = ["pending", "succeeded", "exhausted", "cancelled"] as const;
export const ATTEMPT_TRIGGERS = ["initial", "retry", "manual"] as const;

export const deliverySchema = z
  .object({
    id: z.string().openapi({ example: "dlv_01h455vb4pex5vsknk084sn02q" }),
    event: z.string(),
    event_type: z.string().nullable(),
    webhook_id: z.string(),
    source: z.string(),
    target: z.string(),
    status: z.enum(DELIVERY_STATUSES).openapi({ example: "succeeded" }),
    in_flight: z.boolean().openapi({ description: "Whether a worker has it in hand right now" }),
    worker: z.string().nullable().openapi({
      format: "uuid",
      description: "Which worker has it in hand, as its log says it; null when none has",
    }),
    attempt_count: z.int(),
    next_attempt_at: z
      .string()
      .nullable()
      .openapi({ format: "date-time", description: "Null when it is finished, or in flight" }),
    deadline_at: z.string().openapi({ format: "date-time", description: "The last attempt is made at it" }),
    last_status_code: z.int().nullable().openapi({ example: 200 }),
    last_error: z.string().nullable(),
    created_at: z.string().openapi({ format: "date-time" }),
    finished_at: z.string().nullable().openapi({ format: "date-time", example: "2026-01-22T12:00:00Z" }),
  })
  .openapi("Delivery");

export const attemptSchema = z
  .object({
    id: z.string().openapi({ example: "att_01h455vb4pex5vsknk084sn02q" }),
    delivery: z.string(),
    target: z.string().nullable(),
    source: z.string().nullable(),
    event_type: z.string().nullable(),
    number: z.int(),
    trigger: z.enum(ATTEMPT_TRIGGERS),
    started_at: z.string().openapi({ format: "date-time" }),
    duration_ms: z.number().openapi({ example: 41.7 }),
    status_code: z.int().nullable().openapi({ example: 200 }),
    error: z.string().nullable(),
    response_excerpt: z.string().nullable().openapi({ example: "ok" }),
  })
  .openapi("Attempt");

/** Of one delivery, or of one event, in one answer. Only a target with a base of fractions of a second ever gets that far. */
export const MAX_ATTEMPTS = 1_000;

export const deliveryWithAttempts = deliverySchema
  .extend({
    attempts: z
      .array(attemptSchema)
      .openapi({ description: `Oldest first; of more than ${MAX_ATTEMPTS} in one answer, the newest` }),
  })
  .openapi("DeliveryWithAttempts");

/** @param nowMs tells a lease that runs from one that ran out: the time that is stored is its end, and no schedule. */
export function showDelivery(delivery: DeliveryRecord, nowMs: number): z.infer<typeof deliverySchema> {
  const { leasedBy, nextAttemptAt } = delivery;
  const inFlight = leasedBy !== null && nextAttemptAt !== null && nextAttemptAt.getTime() > nowMs;
  return {
    id: formatId("dlv", delivery.id),
    event: formatId("evt", delivery.eventId),
    event_type: delivery.eventType,
    webhook_id: delivery.webhookId,
    source: formatId("src", delivery.sourceId),
    target: formatId("tgt", delivery.targetId),
    status: delivery.status,
    in_flight: inFlight,
    worker: inFlight ? leasedBy : null,
    attempt_count: delivery.attemptCount,
    next_attempt_at: inFlight ? null : (nextAttemptAt?.toISOString() ?? null),
    deadline_at: delivery.deadlineAt.toISOString(),
    last_status_code: delivery.lastStatusCode,
    last_error: delivery.lastError,
    created_at: delivery.createdAt.toISOString(),
    finished_at: delivery.finishedAt?.toISOString() ?? null,
  };
}

export function showAttempt(attempt: AttemptRow): z.infer<typeof attemptSchema> {
  return {
    id: formatId("att", attempt.id),
    delivery: formatId("dlv", attempt.deliveryId),
    target: attempt.targetId && formatId("tgt", attempt.targetId),
    source: attempt.sourceId && formatId("src", attempt.sourceId),
    event_type: attempt.eventType,
    number: attempt.number,
    trigger: attempt.trigger,
    started_at: attempt.startedAt.toISOString(),
    duration_ms: attempt.durationMs,
    status_code: attempt.statusCode,
    error: attempt.error,
    response_excerpt: attempt.responseExcerpt,
  };
}
