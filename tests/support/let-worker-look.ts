// For what must not happen: by then a worker had its chance to do it.

import { startReceiver } from "./receiver.ts";
import type { Relay } from "./relay.ts";
import { until } from "./wait.ts";

/**
 * Returns when a worker has delivered a later event, to another target, and looked at all breakers after that: it knows
 * what was committed before, and did what was due.
 */
export async function letWorkerLook(relay: Relay): Promise<void> {
  const other = await startReceiver();
  const { id } = await relay.createTarget(other);
  await relay.sendEvent();
  await other.waitFor(1);
  // Successes are written with each look at the breakers.
  await until(() => relay.call("GET", `/v1/targets/${id}`), {
    accept: ({ health }) => health.last_success_at !== null,
  });
  await relay.deleteTargets(other);
  await other.stop();
}
