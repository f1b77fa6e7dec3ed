// For a test that something does not happen: gives a worker its chance to do it.

import { startReceiver } from "./receiver.ts";
import type { Relay } from "./relay.ts";
import { until } from "./wait.ts";

/**
 * Returns when a worker has delivered a later event to another target, and has read all breakers after that. The worker
 * then knows everything that was committed before the call, and has done what was due.
 */
export async function letWorkerLook(relay: Relay): Promise<void> {
  const other = await startReceiver();
  const { id } = await relay.createTarget(other);
  await relay.sendEvent();
  await other.waitFor(1);
  // The worker writes the last success of a target each time it reads the breakers.
  await until(() => relay.call("GET", `/v1/targets/${id}`), {
    accept: ({ health }) => health.last_success_at !== null,
  });
  await relay.deleteTargets(other);
  await other.stop();
}
