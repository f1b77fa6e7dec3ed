// The trace of an event that the API makes. The caller of `POST /v1/events` has a key, so its trace is continued: the
// event's trace context is then stored with the event. Every other event has a trace of its own, which needs no storage.

import { formatId } from "@sluice/shared/domain/ids";
import { readTraceContext, type TraceContext } from "@sluice/shared/domain/trace-context";
import type { OpenSpan, Tracing } from "@sluice/tracing/tracing";

export interface MadeEventTrace {
  /** What is stored with the event: null where its trace follows from its id, or where it has none. */
  stored: TraceContext | null;
  /** Undefined where nothing is traced. */
  span: OpenSpan | undefined;
}

/** Traces an event that the relay made for a caller, such as a test. */
export function traceMadeEvent(
  tracing: Tracing | undefined,
  { eventId, type, startMs }: { eventId: string; type: string; startMs: number },
  header: (name: string) => string | undefined,
): void {
  if (tracing === undefined) return;
  const caller = readTraceContext(header("traceparent"), header("tracestate"));
  const span = tracing.begin({
    name: `make ${type}`,
    kind: "server",
    parent: { kind: "begins", eventId },
    startMs,
    links: caller === undefined ? [] : [caller],
    attributes: { "sluice.event.id": formatId("evt", eventId), "sluice.event.type": type },
  });
  span.end(Date.now(), {});
}

/**
 * @param route of the API, such as `/v1/events`.
 * @param header reads a header of the request.
 */
export function beginMadeEvent(
  tracing: Tracing | undefined,
  eventId: string,
  route: string,
  header: (name: string) => string | undefined,
): MadeEventTrace {
  const caller = readTraceContext(header("traceparent"), header("tracestate"));
  const span = tracing?.begin({
    name: `POST ${route}`,
    kind: "server",
    parent: caller === undefined ? { kind: "begins", eventId } : { kind: "span", context: caller },
    startMs: Date.now(),
    attributes: {
      "http.request.method": "POST",
      "http.route": route,
      "sluice.event.id": formatId("evt", eventId),
    },
  });
  // Where nothing is traced, the targets get the caller's context as it came.
  return { stored: caller === undefined ? null : (span?.context ?? caller), span };
}
