// Each app gets a small share of a core, so that the machine has room for another app.

import type { RunningApp } from "./rig.ts";

const RUN_MS = 4;
const PERIOD_MS = 40;

/**
 * Stops the apps and lets each of them run for a tenth of the time, one after the other. Signals do this, because they
 * need no special rights. Timers are late by about a millisecond, so an app gets 10 to 14 % of a core.
 *
 * @returns a function that lets the apps run freely again.
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
