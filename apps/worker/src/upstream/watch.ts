// Watches the webhooks that the relay registered at Gemini. Every worker does it: the claim on a row lets one at a
// time work on a webhook, and another one goes on when a worker dies.

import type { Logger } from "@sluice/shared/runtime/log";
import { formatId } from "@sluice/shared/domain/ids";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { Database } from "@sluice/store/connection/database";
import { reconcileNow } from "@sluice/store/upstream/jobs-readers";
import { watchNextUpstream } from "@sluice/store/upstream/upstream-watch";

import { type Loop, startLoop } from "../chores/loop.ts";
import type { WorkerConfig } from "../worker-config.ts";

/** How often a worker asks PostgreSQL whether a webhook is due. */
const LOOK_EVERY_MS = 2_000;

export interface WatchParts {
  db: Database;
  masterKey: MasterKey;
  config: Pick<WorkerConfig, "GEMINI_API_KEY" | "GEMINI_BASE_URL" | "GEMINI_REQUESTS_PER_HOUR">;
  /** Wakes the lane of a target. */
  wake: (targetId: string) => void;
  log: Logger;
}

export function startUpstreamWatch({ db, masterKey, config, wake, log }: WatchParts): Loop {
  const dependencies = {
    db,
    masterKey,
    geminiApiKey: config.GEMINI_API_KEY,
    geminiBaseUrl: config.GEMINI_BASE_URL,
    geminiRequestsPerHour: config.GEMINI_REQUESTS_PER_HOUR,
    // Gateways find changed secrets by their revision.
    sourcesChanged: () => Promise.resolve(),
    wakeTarget: wake,
    reconcileNow: (sourceId: string, sinceMs: number) => reconcileNow(db, sourceId, sinceMs),
    log,
  };
  return startLoop(LOOK_EVERY_MS, async () => {
    try {
      const watched = await watchNextUpstream(dependencies);
      if (watched === undefined) return LOOK_EVERY_MS;
      const { did, failure } = watched;
      const fields = { source: formatId("src", watched.sourceId), did };
      if (failure === undefined) log.debug(fields, "webhook at Gemini looked after");
      // Failure policy: open. The row of the webhook says what failed and when it is tried again.
      else log.warn({ ...fields, problem: failure.message }, "webhook at Gemini not looked after");
      return 0;
    } catch (error) {
      // Failure policy: open. The claim runs out, and the work is done again.
      sparing(log).warn({ err: error }, "webhooks at Gemini not looked after; tried again");
      return LOOK_EVERY_MS;
    }
  });
}
