// A pause that ends early when its signal aborts, which happens when a process stops.

import { setTimeout as sleep } from "node:timers/promises";

/** Waits, and says why the wait ended. Never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<"elapsed" | "aborted"> {
  try {
    await sleep(ms, undefined, { signal });
    return "elapsed";
  } catch {
    return "aborted";
  }
}
