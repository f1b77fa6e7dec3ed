// Waiting that ends early when the worker stops.

import { setTimeout as sleep } from "node:timers/promises";

export async function pause(ms: number, signal: AbortSignal): Promise<"elapsed" | "aborted"> {
  try {
    await sleep(ms, undefined, { signal });
    return "elapsed";
  } catch {
    return "aborted";
  }
}
