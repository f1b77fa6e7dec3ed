// Takes a sample each minute of what waits for the targets, for the charts of /v1/stats/waiting. Every worker asks, and one of
// them takes it.

import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import { sampleWaiting } from "@sluice/store/journal/waiting-samples";

import { type Loop, startLoop } from "./loop.ts";

const MINUTE_MS = 60_000;
/** Workers ask within this part of a minute, so that they do not all ask at the same time. */
const SPREAD_MS = 5_000;

export function startWaitingSampling(db: Database, log: Logger): Loop {
  return startLoop(Math.random() * SPREAD_MS, async () => {
    try {
      await sampleWaiting(db);
    } catch (error) {
      // Failure policy: open. A chart has a gap of a minute.
      sparing(log).warn({ err: error }, "no sample of what waits in this minute");
    }
    return MINUTE_MS - (Date.now() % MINUTE_MS) + Math.random() * SPREAD_MS;
  });
}
