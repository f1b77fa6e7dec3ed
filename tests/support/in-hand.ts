// A target and a delivery as a worker has them in hand, for tests of what it sends.

import { newId } from "@sluice/shared/domain/ids";
import { TARGET_DEFAULTS, type Target } from "@sluice/store/configuration/targets";
import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";

export function makeLoadedTarget(changes: Partial<Target> & Pick<Target, "uri">): Target {
  return { ...TARGET_DEFAULTS, id: newId(), name: "target", subscribedEvents: ["*"], hmacKeys: [], ...changes };
}

export function makeClaimedDelivery({ id: targetId }: Target): ClaimedDelivery {
  return {
    id: newId(),
    eventId: newId(),
    targetId,
    eventType: "batch.succeeded",
    webhookId: "msg_1",
    contentType: "application/json",
    contentEncoding: null,
    bodyUnbound: false,
    traceContext: null,
    body: Buffer.from("{}"),
    attemptCount: 0,
    failureCount: 0,
    trigger: "initial",
    deadlineInMs: 1_000,
  };
}
