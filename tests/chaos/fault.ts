// What a fault is: how it is injected and undone, and what the relay may do meanwhile. Without a word here it may do
// nothing: refuse no valid event, lose none, repeat none beyond what was in flight.

import type { ProcessGroup } from "../support/process-group.ts";
import type { Stage, StageOptions } from "./stage.ts";

export interface Fault {
  name: string;
  about: string;
  /** Part of the short form. */
  isShort?: boolean;
  /** Minutes, and alone: it is left out of runs of all faults with `--quick`. */
  isLong?: boolean;
  /** What the stage needs for it; a text is why it cannot be done here. */
  prepare?: (directory: string, group: ProcessGroup) => Prepared | string;
  inject: (stage: Stage) => Promise<void>;
  /** Between the two the fault lasts. */
  holdMs?: number;
  /** Ends the fault, and waits until what it hit runs again. */
  undo?: (stage: Stage) => Promise<void>;
  /** Why events may be refused, or their connections cut, at the first try. */
  mayRefuse?: string;
  mayCut?: string;
  /** Why not even what was in flight may be repeated. */
  mustNotRepeat?: string;
  /** Why a target may stop getting events that came after the fault: what was stored for it counts then. */
  mayUnsubscribe?: string;
  /** From its end, until everything that was accepted before is delivered. */
  recoverLimitMs?: number;
}

interface Prepared {
  options: Partial<StageOptions>;
  cleanUp?: () => void;
}

/** Generous: a quiet machine needs a tenth. */
export const RECOVER_LIMIT_MS = 30_000;
/** What a worker had in hand is due again when its lease of 45 s runs out, and the sweep looks each 5 s. */
export const LEASE_RECOVER_LIMIT_MS = 80_000;
