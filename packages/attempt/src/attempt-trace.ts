// The span of an attempt. The target gets its context, so that the target's own spans are its children. Without tracing,
// the target of an event that continues its caller's trace gets the caller's context as it came, and no other target
// gets any: a context that nobody sends a span for would break the traces of the target.

import { formatId } from "@sluice/shared/domain/ids";
import { type TraceContext, unpackTraceContext } from "@sluice/shared/domain/trace-context";
import type { Target } from "@sluice/store/configuration/targets";
import type { AttemptRecord, ClaimedDelivery } from "@sluice/store/delivery/deliveries";
import type { SpanParent, Tracing } from "@sluice/tracing/tracing";

import { type AttemptResult, isSuccess } from "./attempt-result.ts";
import { shownUrl } from "./shown-request.ts";

export interface AttemptTrace {
  /** What the target gets. */
  context: TraceContext | undefined;
  /** MUST NOT be called when nothing was sent. */
  end: (attempt: AttemptRecord, result: AttemptResult) => void;
}

const NO_TRACE: AttemptTrace = { context: undefined, end: () => {} };

export function beginAttemptTrace(
  tracing: Tracing | undefined,
  target: Target,
  delivery: ClaimedDelivery,
): AttemptTrace {
  const { traceContext, eventId } = delivery;
  if (tracing === undefined && traceContext === null) return NO_TRACE;
  const caller = traceContext === null ? undefined : unpackTraceContext(traceContext);
  if (tracing === undefined) return { context: caller, end: NO_TRACE.end };
  const parent: SpanParent = caller === undefined ? { kind: "event", eventId } : { kind: "span", context: caller };
  const url = shownUrl(target);
  const span = tracing.begin({
    name: `POST ${target.name}`,
    kind: "client",
    parent,
    startMs: Date.now(),
    attributes: {
      "http.request.method": "POST",
      "url.full": url,
      ...serverOf(url),
      "sluice.event.id": formatId("evt", eventId),
      "sluice.delivery.id": formatId("dlv", delivery.id),
      "sluice.target.id": formatId("tgt", target.id),
      "sluice.target.name": target.name,
      "sluice.webhook_id": delivery.webhookId,
    },
  });
  return {
    context: span.context,
    end: (attempt, result) => {
      const { statusCode, error, seen } = result;
      const failure = isSuccess(result) ? undefined : (error ?? `The target answered ${statusCode}`);
      span.end(
        result.startedAtMs + result.durationMs,
        {
          "http.response.status_code": statusCode ?? undefined,
          // https://opentelemetry.io/docs/specs/semconv/http/http-spans/: the status code as text, or a short word.
          "error.type": failure === undefined ? undefined : (error?.split(":", 1)[0] ?? String(statusCode)),
          "http.request.resend_count": attempt.number > 1 ? attempt.number - 1 : undefined,
          ...peerOf(seen.address),
          "sluice.attempt.id": formatId("att", attempt.id),
          "sluice.attempt.number": attempt.number,
          "sluice.attempt.trigger": attempt.trigger,
          "sluice.attempt.connect_ms": seen.connectMs ?? undefined,
          "sluice.attempt.first_byte_ms": seen.firstByteMs ?? undefined,
          "sluice.delivery.status": attempt.next.status,
        },
        failure,
      );
    },
  };
}

function serverOf(url: string) {
  const { hostname, port, protocol } = new URL(url);
  const usual = protocol === "https:" ? 443 : 80;
  return { "server.address": hostname.replace(/^\[(.*)\]$/, "$1"), "server.port": port === "" ? usual : Number(port) };
}

function peerOf(address: string | null) {
  if (address === null) return {};
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^\[(.*)\]$/, "$1");
  return { "network.peer.address": host, "network.peer.port": Number(address.slice(at + 1)) };
}
