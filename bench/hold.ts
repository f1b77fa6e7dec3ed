// A small share of a core for each app, so that the machine has room for one more of them.

import type { RunningApp } from "./rig.ts";

const RUN_MS = 4;
const PERIOD_MS = 40;

/**
 * Stops the apps, and lets each run for a tenth of the time, one after the other: by signals, which need no rights. Timers
 * are late by a millisecond or so, and so an app has some 10 to 14 % of a core.
 *
 * @returns lets them run freely again.
 */
export function holdToTenthOfCore(apps: readonly RunningApp[]): () => void {
  let isHeld = true;
  const after = (ms: number, work: () => void) => {
    setTimeout(() => {
      if (isHeld) work();
    }, ms);
  };
  for (const [index, app] of apps.entries()) {
    const run = () => {
      app.signal("SIGCONT");
      after(RUN_MS, () => app.signal("SIGSTOP"));
      after(PERIOD_MS, run);
    };
    app.signal("SIGSTOP");
    after((index * PERIOD_MS) / apps.length, run);
  }
  return () => {
    isHeld = false;
    for (const app of apps) app.signal("SIGCONT");
  };
}
