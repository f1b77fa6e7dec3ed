// Chooses which targets have a name in the metrics, as often as that may change. With few targets all have one, and
// PostgreSQL is not asked.

import type { Logger } from "@sluice/shared/runtime/log";
import type { Connection } from "@sluice/store/connection/database";
import { listBusiestTargets } from "@sluice/store/journal/busiest-targets";

import { type Loop, startLoop } from "./loop.ts";

const EVERY_MS = 600_000;
/** Targets may become many at any time, and until they are ranked none of them has a name. */
const LOOK_EVERY_MS = 10_000;

interface Labels {
  readonly isCrowded: boolean;
  choose: (busiest: readonly string[]) => void;
}

/** @param tidy removes the series of targets that have no name any more. */
export function startNaming(db: Connection, labels: Labels, tidy: () => Promise<void>, log: Logger): Loop {
  let chosenAt = -Infinity;
  return startLoop(0, async () => {
    try {
      if (performance.now() - chosenAt < EVERY_MS) return LOOK_EVERY_MS;
      await tidy();
      if (!labels.isCrowded) return LOOK_EVERY_MS;
      labels.choose(await listBusiestTargets(db));
      chosenAt = performance.now();
    } catch (error) {
      // Failure policy: open. The targets keep the names that they have.
      log.warn({ err: error }, "the busiest targets were not read; trying again");
    }
    return LOOK_EVERY_MS;
  });
}
