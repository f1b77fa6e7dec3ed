// One attempt as it is written to PostgreSQL and to the log.

import { formatId, newId } from "@sluice/shared/domain/ids";
import type { TraceContext } from "@sluice/shared/domain/trace-context";
import type { Logger } from "@sluice/shared/runtime/log";
import { isChatKind } from "@sluice/shared/domain/target-kinds";
import { packDetails, type ShownHeaders } from "@sluice/store/delivery/attempt-details";
import type { Target } from "@sluice/store/configuration/targets";
import type { AttemptRecord, AttemptedDelivery } from "@sluice/store/delivery/deliveries";

import type { AttemptResult } from "./attempt-result.ts";
import { decideOutcome, type OutcomeSettings } from "./outcome.ts";
import { shownRequestHeaders, shownResponseHeaders, shownUrl } from "./shown-request.ts";

export interface MadeAttempt {
  target: Pick<Target, "kind" | "uri" | "headers" | keyof OutcomeSettings>;
  delivery: AttemptedDelivery;
  /** What the target got of it. */
  trace: TraceContext | undefined;
  result: AttemptResult;
  /** From now to the deadline of the delivery; negative once it is past. */
  deadlineInMs: number;
  /** From [0, 1), for the jitter of the retry. */
  random: number;
  /** A new one by default. */
  id?: string;
  /** Headers that the target got and that do not follow from the attempt. */
  sentHeaders?: ShownHeaders;
}

export function makeAttemptRecord(made: MadeAttempt): AttemptRecord {
  const { target, delivery, trace, result, deadlineInMs, random, id = newId(), sentHeaders } = made;
  const isWebhook = !isChatKind(target.kind);
  return {
    id,
    deliveryId: delivery.id,
    number: delivery.attemptCount + 1,
    trigger: delivery.trigger,
    startedAtMs: result.startedAtMs,
    durationMs: result.durationMs,
    statusCode: result.statusCode,
    error: result.error,
    responseExcerpt: result.responseExcerpt,
    details: packDetails({
      ...result.seen,
      url: shownUrl(target),
      isWebhook,
      requestHeaders: isWebhook ? { ...shownRequestHeaders(target, delivery), ...sentHeaders } : {},
      trace: isWebhook ? (trace ?? null) : null,
      responseHeaders: result.seen.responseHeaders && shownResponseHeaders(result.seen.responseHeaders),
    }),
    next: decideOutcome(result, delivery.failureCount + 1, deadlineInMs, target, random),
  };
}

/** The one wide line of an attempt. */
export function logAttempt(
  log: Logger,
  delivery: Pick<AttemptedDelivery, "id" | "eventId" | "targetId" | "webhookId">,
  attempt: AttemptRecord,
): void {
  if (!log.isLevelEnabled("info")) return;
  log.info(
    {
      event: formatId("evt", delivery.eventId),
      delivery: formatId("dlv", delivery.id),
      target: formatId("tgt", delivery.targetId),
      webhook_id: delivery.webhookId,
      attempt: attempt.number,
      status_code: attempt.statusCode,
      error: attempt.error,
      outcome: attempt.next.status,
      retry_in_ms: attempt.next.status === "pending" ? attempt.next.retryInMs : undefined,
      duration_ms: Math.round(attempt.durationMs * 100) / 100,
    },
    "attempt",
  );
}
