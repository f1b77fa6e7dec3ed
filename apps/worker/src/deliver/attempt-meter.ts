// What the lanes tell the metrics about an attempt.

import type { AttemptResult } from "@sluice/attempt/attempt-result";
import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";

/** Counts the attempts that are no tests of a target. */
export interface AttemptMeter {
  countAttempt: (delivery: ClaimedDelivery, result: AttemptResult) => void;
}
