// What is different about a pull target in the API: the relay sends it nothing, so that what is about sending has no place.

import { PULL_URI } from "@sluice/shared/domain/target-kinds";
import type { Fault } from "@sluice/shared/runtime/errors";
import { defaultsOf, type TargetSettings } from "@sluice/store/configuration/targets";

import { invalidRequest } from "../http/invalid-request.ts";

const FOREIGN = "is only for targets that the relay sends to, and this one pulls";

/**
 * The `uri` of a target as it is stored.
 * @param given undefined where the caller gives none.
 * @throws SluiceError `invalid_request` when it is missing, and for a pull target when there is one.
 */
export function uriFor(kind: TargetSettings["kind"], given: string | undefined): string {
  if (kind === "pull") {
    if (given !== undefined) throw invalidRequest([{ pointer: "/uri", detail: FOREIGN }]);
    return PULL_URI;
  }
  if (given === undefined)
    throw invalidRequest([{ pointer: "/uri", detail: "is required for a target that the relay sends to" }]);
  return given;
}

/** @throws SluiceError `invalid_request` that names each setting that a target of this kind cannot have. */
export function refuseForeignToPull(settings: TargetSettings): void {
  const { kind, headers, tls, timeoutSeconds, maxInFlight, rateLimitRequests, deleteAfterIdleSeconds } = settings;
  const faults: Fault[] = [];
  const refuse = (pointer: string, isSet: boolean) => {
    if (isSet) faults.push({ pointer, detail: FOREIGN });
  };
  if (kind === "pull") {
    const usual = defaultsOf(kind);
    refuse("/headers", Object.keys(headers).length > 0);
    refuse("/tls", tls !== null);
    refuse("/timeout_seconds", timeoutSeconds !== usual.timeoutSeconds);
    refuse("/max_in_flight", maxInFlight !== usual.maxInFlight);
    refuse("/rate_limit", rateLimitRequests !== null);
  } else if (deleteAfterIdleSeconds !== null) {
    faults.push({ pointer: "/delete_after_idle_seconds", detail: `is only for pull targets, and this one is ${kind}` });
  }
  if (faults.length > 0) throw invalidRequest(faults);
}
