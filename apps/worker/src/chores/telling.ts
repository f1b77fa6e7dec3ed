// Tells the operators what has changed: every few seconds one worker of the relay looks, and stores operational events. They
// go to the targets that subscribed to them by name, as every event does.

import type { Producer } from "@sluice/queue/queue";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import type { SetAsideSight } from "@sluice/store/operational/set-aside";
import { isLookDue, lookAndTell, type TellingSettings } from "@sluice/store/operational/telling";

import { type Loop, startLoop } from "./loop.ts";

/** The time between two looks, whichever workers make them. */
const EVERY_MS = 5_000;
/** How often each worker asks whether a look is due. */
const ASK_EVERY_MS = 2_500;
/** Reading certificates takes a tenth of a millisecond each, and they expire in days. */
const CERTIFICATES_EVERY_MS = 600_000;
const SAMPLES = 5;

export interface TellingParts {
  db: Database;
  producer: Pick<Producer, "setAside">;
  settings: TellingSettings;
  /** Wakes the lane of a target. */
  wake: (targetId: string) => void;
  log: Logger;
}

export function startTelling({ db, producer, settings, wake, log }: TellingParts): Loop {
  let certificatesAt = Number.NEGATIVE_INFINITY;
  return startLoop(ASK_EVERY_MS, async () => {
    try {
      if (!(await isLookDue(db, EVERY_MS))) return ASK_EVERY_MS;
      const readsCertificates = performance.now() - certificatesAt >= CERTIFICATES_EVERY_MS;
      const setAside = await seeSetAside(producer);
      const look = await lookAndTell(db, settings, { everyMs: EVERY_MS, setAside, readsCertificates });
      if (look === undefined) return ASK_EVERY_MS;
      if (readsCertificates) certificatesAt = performance.now();
      for (const targetId of look.woken) wake(targetId);
      for (const { part, error } of look.failures)
        // Failure policy: open. The rest was told, and the next look tries this part again.
        sparing(log).warn({ err: error, part }, "a part of the relay was not looked at");
    } catch (error) {
      // Failure policy: open. Nothing was told or noted, so the next look finds the same.
      sparing(log).warn({ err: error }, "the operators are not told yet; trying again");
    }
    return ASK_EVERY_MS;
  });
}

/** A store that is away says nothing; what it has set aside is told when it is back. */
async function seeSetAside({ setAside }: Pick<Producer, "setAside">): Promise<SetAsideSight[]> {
  const sights = await Promise.all(
    setAside.map(async (aside): Promise<SetAsideSight | undefined> => {
      try {
        const { store } = aside;
        const count = await aside.count();
        if (count === 0) return { store, count, newest: [] };
        const newest = await aside.positions({ failedAtMs: Number.MAX_SAFE_INTEGER, id: "" }, SAMPLES);
        const jobs = await Promise.all(newest.map(({ id }) => aside.read(id)));
        return { store, count, newest: jobs.flatMap((job) => (job === undefined ? [] : [job])) };
      } catch {
        return undefined;
      }
    }),
  );
  return sights.filter((sight) => sight !== undefined);
}
