// The attempts that targets report of what they pulled: as they are written, logged, counted and traced.

import { StringDecoder } from "node:string_decoder";

import { logAttempt, makeAttemptRecord } from "@sluice/attempt/attempt-record";
import { type AttemptResult, isSuccess } from "@sluice/attempt/attempt-result";
import { formatId, hashedId, idRest, idTime } from "@sluice/shared/domain/ids";
import { type TraceContext, unpackTraceContext } from "@sluice/shared/domain/trace-context";
import type { Logger } from "@sluice/shared/runtime/log";
import type { TargetRecord } from "@sluice/store/configuration/targets";
import type { AttemptRecord } from "@sluice/store/delivery/deliveries";
import type { AttemptedDelivery } from "@sluice/store/delivery/deliveries";
import type { Pulled } from "@sluice/store/delivery/pulled";
import type { Tracing } from "@sluice/tracing/tracing";

import type { PullReport } from "./pull-schema.ts";

/** As much as the log keeps of what a target answers to a worker. */
const EXCERPT_BYTES = 1024;
const NOTHING_SEEN = { address: null, connectMs: null, firstByteMs: null, responseHeaders: null };

export interface PulledAttemptsDependencies {
  /** Counts an attempt in the metrics. */
  count: (target: TargetRecord, delivery: AttemptedDelivery, result: AttemptResult) => void;
  /** Undefined where nothing is traced. */
  tracing: Tracing | undefined;
  log: Logger;
}

interface Reported extends Pulled {
  report: PullReport;
}

interface Made {
  delivery: AttemptedDelivery;
  result: AttemptResult;
  attempt: AttemptRecord;
}

/** Attempts that are being written. */
interface Recording {
  make: (reported: readonly Reported[]) => (delivery: AttemptedDelivery, index: number) => AttemptRecord;
  /** MUST be called once they are written, and only then. */
  end: () => void;
}

export class PulledAttempts {
  readonly #dependencies: PulledAttemptsDependencies;

  constructor(dependencies: PulledAttemptsDependencies) {
    this.#dependencies = dependencies;
  }

  begin(target: TargetRecord): Recording {
    // By the index: the statement may run a second time.
    const made = new Map<number, Made>();
    return {
      make: (reported) => (delivery, index) => {
        const one = reported[index];
        if (one === undefined) throw new RangeError("There are more attempts than reports");
        const result = toResult(one);
        const attempt = makeAttemptRecord({
          target,
          delivery,
          trace: contextFor(this.#dependencies.tracing, delivery),
          result,
          deadlineInMs: delivery.deadlineInMs,
          random: Math.random(),
          id: attemptIdOf(one, result.startedAtMs),
          // It was signed when it was pulled.
          sentHeaders: { "webhook-timestamp": String(Math.floor(idTime(one.pullId) / 1000)) },
        });
        made.set(index, { delivery, result, attempt });
        return attempt;
      },
      end: () => {
        const { count, log } = this.#dependencies;
        for (const { delivery, result, attempt } of made.values()) {
          logAttempt(log, delivery, attempt);
          count(target, delivery, result);
          this.#trace(target, delivery, result, attempt);
        }
      },
    };
  }

  #trace(target: TargetRecord, delivery: AttemptedDelivery, result: AttemptResult, attempt: AttemptRecord): void {
    const { tracing } = this.#dependencies;
    const context = contextFor(tracing, delivery);
    if (tracing === undefined || context === undefined) return;
    const { startedAtMs, durationMs, statusCode, error } = result;
    const span = tracing.begin({
      name: `pull ${target.name}`,
      kind: "consumer",
      parent: { kind: "span", context },
      startMs: startedAtMs,
      attributes: {
        "sluice.event.id": formatId("evt", delivery.eventId),
        "sluice.delivery.id": formatId("dlv", delivery.id),
        "sluice.target.id": formatId("tgt", target.id),
        "sluice.target.name": target.name,
        "sluice.webhook_id": delivery.webhookId,
        "sluice.attempt.id": formatId("att", attempt.id),
        "sluice.attempt.number": attempt.number,
        "sluice.attempt.trigger": attempt.trigger,
        "sluice.delivery.status": attempt.next.status,
        "http.response.status_code": statusCode ?? undefined,
      },
    });
    const failure = isSuccess(result) ? undefined : (error ?? `The target answered ${statusCode}`);
    span.end(startedAtMs + durationMs, {}, failure);
  }
}

/** What a target gets of the trace of an event: its caller's, or its first span, beside which the attempt will be. */
export function contextFor(
  tracing: Tracing | undefined,
  { traceContext, eventId }: Pick<AttemptedDelivery, "traceContext" | "eventId">,
): TraceContext | undefined {
  return traceContext === null ? tracing?.contextOf(eventId) : unpackTraceContext(traceContext);
}

/** What the id of an attempt has beside its time: the same for the same pull of a delivery. */
export const restOfAttempt = (pulled: Pulled): string => idRest(attemptIdOf(pulled, 0));

const attemptIdOf = ({ pullId, deliveryId }: Pulled, startedAtMs: number) =>
  hashedId(startedAtMs, `${pullId}${deliveryId}`);

function toResult({ pullId, report }: Reported): AttemptResult {
  const { duration_ms: durationMs, started_at: startedAt, response_excerpt: excerpt, error } = report;
  const nowMs = Date.now();
  // The log finds an attempt by a time that is about that of its id. The clock of a puller may be wrong.
  const startedAtMs = Math.max(idTime(pullId), Math.min(Math.floor(startedAt ?? nowMs - durationMs), nowMs));
  const { retry_after_seconds: retryAfter } = report;
  return {
    startedAtMs,
    durationMs,
    statusCode: report.status_code ?? null,
    error: error ?? null,
    responseExcerpt: excerpt === undefined ? null : cutExcerpt(excerpt),
    retryAfterMs: retryAfter === undefined ? undefined : retryAfter * 1000,
    seen: NOTHING_SEEN,
  };
}

/** A character that is cut at its end is left out. PostgreSQL takes no NUL. */
function cutExcerpt(text: string): string {
  const bytes = Buffer.from(text).subarray(0, EXCERPT_BYTES);
  return new StringDecoder("utf8").write(bytes).replaceAll("\u0000", "\uFFFD");
}
