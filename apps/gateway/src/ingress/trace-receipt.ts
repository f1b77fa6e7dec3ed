// The first span of an event's trace: its receipt at the ingress, from the request to the answer. A sender from outside
// does not decide over the relay's traces, so its own trace is linked and not continued. A refused request has no event
// and so no trace: whoever floods the public port must not flood the collector.

import type { IncomingHttpHeaders } from "node:http";

import { formatId } from "@sluice/shared/domain/ids";
import { readTraceContext, type TraceContext } from "@sluice/shared/domain/trace-context";
import type { Tracing } from "@sluice/tracing/tracing";

import type { IngressRequest } from "./request.ts";

export function readCaller({ traceparent, tracestate }: IncomingHttpHeaders): TraceContext | undefined {
  // Node gives both as one text, joined when they came several times; its type says more.
  return readTraceContext(joined(traceparent), joined(tracestate));
}

const joined = (header: string | string[] | undefined) => (Array.isArray(header) ? header.join(",") : header);

/** To be called when the request is answered. */
export function traceReceipt(tracing: Tracing, request: IngressRequest): void {
  const { eventId, caller, source, status, startedAt, code } = request;
  if (eventId === undefined) return;
  const endMs = Date.now();
  const span = tracing.begin({
    name: "POST /in/{source}",
    kind: "server",
    parent: { kind: "begins", eventId },
    startMs: endMs - (performance.now() - startedAt),
    links: caller === undefined ? [] : [caller],
    attributes: {
      "http.request.method": "POST",
      "http.route": "/in/{source}",
      "http.response.status_code": status,
      "http.request.body.size": request.sizeBytes,
      "client.address": request.remoteAddress,
      "sluice.event.id": formatId("evt", eventId),
      "sluice.source.name": source?.name,
      "sluice.webhook_id": request.webhookId,
      "error.type": code,
    },
  });
  span.end(endMs, {}, status >= 500 ? "The event was not made durable" : undefined);
}
