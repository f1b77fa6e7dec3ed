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
  const timers = new Set<NodeJS.Timeout>();
  const after = (ms: number, work: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer);
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
    for (const timer of timers) clearTimeout(timer);
    for (const app of apps) app.signal("SIGCONT");
  };
}
