// Deletes pull targets that nobody pulled for as long as they allow. Any worker does it: the lock of a target's row lets one
// at a time.

import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import { formatId } from "@sluice/shared/domain/ids";
import { deleteIdleTargets } from "@sluice/store/configuration/target-pulls";
import type { Database } from "@sluice/store/connection/database";
import { RELAY_AUTHOR } from "@sluice/store/upstream/upstream-work";

import { type Loop, startLoop } from "./loop.ts";

/** The shortest time for which a target can be idle is a minute. */
const EVERY_MS = 60_000;
/** Each deletion cancels up to a thousand deliveries in the same transaction. */
const BATCH = 10;

export function startIdleTargets(db: Database, log: Logger): Loop {
  return startLoop(EVERY_MS, async () => {
    try {
      const deleted = await deleteIdleTargets(db, RELAY_AUTHOR, BATCH);
      for (const { id, name } of deleted) log.info({ target: formatId("tgt", id), name }, "idle pull target deleted");
      return deleted.length === BATCH ? 0 : EVERY_MS;
    } catch (error) {
      // Failure policy: open. The target stays for a minute longer.
      sparing(log).warn({ err: error }, "idle pull targets not deleted; trying again");
      return EVERY_MS;
    }
  });
}
