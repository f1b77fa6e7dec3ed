// The headers of a delivery to a target that verifies signatures, whether it is sent to the target or the target fetches it.

import { formatId } from "@sluice/shared/domain/ids";
import { toTraceparent, type TraceContext } from "@sluice/shared/domain/trace-context";
import { validKeys } from "@sluice/signature/secret";
import { signV1 } from "@sluice/signature/signing/v1";
import type { Target } from "@sluice/store/configuration/targets";
import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";

/**
 * A header that is `undefined` is not sent, also where it is configured.
 * @param nowMs the time of the attempt, in milliseconds since 1970.
 */
export function requestHeaders(
  target: Pick<Target, "headers" | "hmacKeys">,
  delivery: ClaimedDelivery,
  trace: TraceContext | undefined,
  nowMs: number,
): Record<string, string | undefined> {
  // The timestamp is that of the attempt, and the id stays the same: Standard Webhooks 1.0.
  const timestamp = String(Math.floor(nowMs / 1000));
  const signatures = validKeys(target.hmacKeys, nowMs).map(({ key }) =>
    signV1(key, delivery.webhookId, timestamp, delivery.body),
  );
  // Header names ignore case (RFC 9110, 5.1). In lower case, a configured header replaces ours and is sent once.
  const configured = Object.entries(target.headers).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    "user-agent": "sluice",
    ...(Object.fromEntries(configured) as Record<string, string>),
    "content-type": delivery.contentType ?? "application/json",
    // The body goes on as it came, so its label does too.
    "content-encoding": delivery.contentEncoding ?? undefined,
    "webhook-id": delivery.webhookId,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures.join(" "),
    "sluice-event-id": formatId("evt", delivery.eventId),
    "sluice-delivery-id": formatId("dlv", delivery.id),
    "sluice-attempt": String(delivery.attemptCount + 1),
    "sluice-body-unbound": delivery.bodyUnbound ? "true" : undefined,
    // Both together: the state belongs to the parent (https://www.w3.org/TR/trace-context/, 3.3).
    ...(trace !== undefined && { traceparent: toTraceparent(trace), tracestate: trace.state ?? undefined }),
  };
}
