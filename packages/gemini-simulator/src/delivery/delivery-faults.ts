// What goes wrong with events on their way, by rules. A rule takes a share of the events, and which ones follows from the
// seed and the job alone, so that the same jobs have the same faults in every run.

import type { Seeded } from "../seeded.ts";

export type DeliveryFault =
  /** The event is never sent. */
  | { kind: "never" }
  /** The first attempt is so much later. */
  | { kind: "late"; delayMs: number }
  /** The event is sent so many times more, with the same `webhook-id`; at the same time when no delay is given. */
  | { kind: "duplicate"; copies?: number | undefined; delayMs?: number | undefined }
  /** The receiver gets the first attempt, but its answer is lost, so that a retry follows. */
  | { kind: "lost_answer" }
  /** The event is sent after the next one for the same address, or when held events are released. */
  | { kind: "out_of_order" };

export interface DeliveryFaultRule {
  fault: DeliveryFault;
  /** From 0 to 1. The shares of the rules add up, because an event has one fault at most. All events when not given. */
  share?: number | undefined;
  /** Only events of this type, such as `batch.succeeded`. */
  type?: string | undefined;
  /** Only events of the job with this name. */
  job?: string | undefined;
  /** The rule ends after so many events. */
  times?: number | undefined;
}

interface DrawnEvent {
  type: string;
  /** The name of the job, or the id of the webhook that is pinged. */
  subject: string;
}

export class DeliveryFaults {
  readonly #seeded: Seeded;
  #rules: { rule: DeliveryFaultRule; leftTimes: number }[] = [];

  constructor(seeded: Seeded) {
    this.#seeded = seeded;
  }

  add(rule: DeliveryFaultRule): void {
    this.#rules.push({ rule, leftTimes: rule.times ?? Infinity });
  }

  clear(): void {
    this.#rules = [];
  }

  draw({ type, subject }: DrawnEvent): DeliveryFault | undefined {
    const drawn = this.#seeded.share("fault", type, subject);
    let shared = 0;
    for (const entry of this.#rules) {
      const { rule, leftTimes } = entry;
      if ((rule.type ?? type) !== type || (rule.job ?? subject) !== subject) continue;
      const from = shared;
      shared += rule.share ?? 0;
      const isDrawn = rule.share === undefined || (drawn >= from && drawn < shared);
      if (!isDrawn || leftTimes <= 0) continue;
      entry.leftTimes -= 1;
      return rule.fault;
    }
    return undefined;
  }
}
