// A fault says how it is injected and undone, and which promises the relay may break during it. By default the relay must
// keep all of them: it refuses no valid event, loses none, and repeats only deliveries that were in flight.

import type { ProcessGroup } from "../support/process-group.ts";
import type { Stage, StageOptions } from "./stage.ts";

export interface Fault {
  name: string;
  about: string;
  /** True for a fault of the short form. */
  isShort?: boolean;
  /** True for a fault that takes minutes. `--quick` leaves it out. */
  isLong?: boolean;
  /** Prepares the machine for the fault. A returned text says why this machine cannot run the fault. */
  prepare?: (directory: string, group: ProcessGroup) => Prepared | string;
  /** @returns what else to look at when the relay has finished. */
  inject: (stage: Stage) => Promise<Check | void>;
  /** The time between `inject` and `undo`. */
  holdMs?: number;
  /** Ends the fault, and waits until the affected process or store runs again. */
  undo?: (stage: Stage) => Promise<void>;
  /** The reasons why the first try of an event may be refused, or its connection cut. */
  mayRefuse?: string;
  mayCut?: string;
  /** The reason why not even deliveries in flight may be repeated. */
  mustNotRepeat?: string;
  /** The reason why a target may get no events after the fault. The target is then owed only the stored deliveries. */
  mayUnsubscribe?: string;
  /** The limit for the time from the end of the fault until every event that was accepted before it is delivered. */
  recoverLimitMs?: number;
}

/**
 * @param limitFactor a factor for every time limit; above 1 for a busy machine.
 * @returns the broken promises.
 */
export type Check = (limitFactor: number) => Promise<string[]>;

export interface Prepared {
  options: Partial<StageOptions>;
  cleanUp?: () => void;
}

/** A quiet machine needs a tenth of this time. */
export const RECOVER_LIMIT_MS = 30_000;
/** The deliveries of a dead worker are due again when its lease of 45 s ends. The sweep looks for them every 5 s. */
export const LEASE_RECOVER_LIMIT_MS = 80_000;
/** The limit of faults after which another server does the work of one that is gone, or that are over when they end. */
export const TAKEOVER_LIMIT_MS = 15_000;
