// How the API shows a delivery and an attempt. Every endpoint that answers with either uses these schemas.

import { z } from "@hono/zod-openapi";

import { formatId } from "@sluice/shared/domain/ids";
import { unpackDetails } from "@sluice/store/delivery/attempt-details";
import type { AttemptRow, DeliveryRecord } from "@sluice/store/log/records";

import { idField } from "../openapi/endpoint.ts";

export const DELIVERY_STATUSES = ["pending", "succeeded", "exhausted", "cancelled"] as const;
export const ATTEMPT_TRIGGERS = ["initial", "retry", "manual"] as const;

export const deliveryStatus = z.enum(DELIVERY_STATUSES).openapi("DeliveryStatus");
export const attemptTrigger = z.enum(ATTEMPT_TRIGGERS).openapi("AttemptTrigger", {
  description:
    "initial: the first attempt. retry: the relay tried again by itself. manual: a caller retried the delivery.",
});

export const deliverySchema = z
  .object({
    id: idField("dlv"),
    event: idField("evt"),
    event_type: z.string().nullable(),
    webhook_id: z.string(),
    source: idField("src"),
    target: idField("tgt"),
    status: deliveryStatus.openapi({ example: "succeeded" }),
    in_flight: z
      .boolean()
      .openapi({ description: "True while a worker, or a service that pulled it, holds the delivery" }),
    worker: z.string().nullable().openapi({
      format: "uuid",
      description:
        "The worker that holds the delivery, by the id in that worker's log lines, or the pull that gave it out. Null when nobody holds it.",
    }),
    attempt_count: z.int(),
    next_attempt_at: z
      .string()
      .nullable()
      .openapi({ format: "date-time", description: "Null while the delivery is in flight, and when it is finished" }),
    deadline_at: z
      .string()
      .openapi({ format: "date-time", description: "When the last attempt is made, unless one succeeds before" }),
    last_status_code: z.int().nullable().openapi({ example: 200 }),
    last_error: z.string().nullable(),
    created_at: z.string().openapi({ format: "date-time" }),
    finished_at: z.string().nullable().openapi({ format: "date-time", example: "2026-01-22T12:00:00Z" }),
  })
  .openapi("Delivery");

const shownHeaders = z.record(z.string(), z.string());

export const attemptSchema = z
  .object({
    id: idField("att"),
    delivery: idField("dlv"),
    event: idField("evt").nullable().openapi({
      description: "Null when the event is past its retention, which can end before that of the attempt",
    }),
    target: idField("tgt").nullable(),
    source: idField("src").nullable(),
    event_type: z.string().nullable(),
    number: z.int(),
    trigger: attemptTrigger,
    started_at: z.string().openapi({ format: "date-time" }),
    duration_ms: z.number().openapi({ example: 41.7 }),
    status_code: z.int().nullable().openapi({ example: 200 }),
    error: z.string().nullable(),
    response_excerpt: z.string().nullable().openapi({ example: "ok" }),
    url: z
      .string()
      .nullable()
      .openapi({
        example: "https://billing.internal/webhooks/gemini",
        description:
          "Where the request went, without credentials: values in a query are shown as REDACTED. Null, as are the " +
          "fields below, for an attempt that an earlier version made. Null for what a target pulled.",
      }),
    address: z.string().nullable().openapi({
      example: "10.0.4.17:443",
      description: "The address and port of the target's end of the connection. Null when there was no connection.",
    }),
    connect_ms: z
      .number()
      .nullable()
      .openapi({
        example: 8.41,
        description:
          "From the start of the attempt until it had its connection; near 0 on a connection that was kept open. Null " +
          "when it got none.",
      }),
    first_byte_ms: z.number().nullable().openapi({
      example: 39.2,
      description: "From the start of the attempt until the head of the response arrived. Null without a response.",
    }),
    trace_id: z
      .string()
      .nullable()
      .openapi({
        example: "019be5a3c1d07a20b7a1f2c3d4e5f607",
        description:
          "The trace of the attempt, whose context the target got as `traceparent`. Null when the target got none: where " +
          "nothing is traced, and the caller of `POST /v1/events` had no trace.",
      }),
    request_headers: shownHeaders.nullable().openapi({
      example: { "webhook-id": "msg_123", "sluice-attempt": "1", authorization: "[redacted]" },
      description:
        "The headers that the relay sent, without `webhook-signature` and those of the connection. Values of the " +
        'headers that the target is configured with are shown as "[redacted]".',
    }),
    response_headers: shownHeaders.nullable().openapi({
      example: { "content-type": "text/plain", date: "Thu, 22 Jan 2026 12:00:00 GMT" },
      description:
        "The first 32 headers of the response with 1,024 characters in all, without cookies and those of the " +
        'connection. A value that may be a secret is shown as "[redacted]". Null without a response.',
    }),
  })
  .openapi("Attempt");

/**
 * The number of attempts that one answer shows, of one delivery or of all deliveries of one event. Only a target whose
 * retries begin with a pause of a fraction of a second ever gets more.
 */
export const MAX_ATTEMPTS = 1_000;

export const deliveryWithAttempts = deliverySchema
  .extend({
    attempts: z
      .array(attemptSchema)
      .openapi({ description: `Oldest first. An answer shows the newest ${MAX_ATTEMPTS} attempts at most.` }),
  })
  .openapi("DeliveryWithAttempts");

/**
 * @param nowMs the current time in milliseconds since 1970. While a worker holds the delivery, `nextAttemptAt` is the
 * end of its lease, so the delivery is in flight only until that time.
 */
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
  const details = unpackDetails(attempt);
  return {
    id: formatId("att", attempt.id),
    delivery: formatId("dlv", attempt.deliveryId),
    event: attempt.eventId && formatId("evt", attempt.eventId),
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
    url: details?.url || null,
    address: details?.address ?? null,
    connect_ms: details?.connectMs ?? null,
    first_byte_ms: details?.firstByteMs ?? null,
    trace_id: details?.trace?.traceId ?? null,
    request_headers: details?.requestHeaders ?? null,
    response_headers: details?.responseHeaders ?? null,
  };
}
