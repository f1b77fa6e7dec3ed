// Lets a worker attempt one event at an address, without a target that stays.

import type { Relay } from "./relay.ts";

/** @returns the error of the attempt. @throws Error when the API refuses the address. */
export async function attemptAt(relay: Relay, uri: string): Promise<string | null> {
  const target = await relay.call("POST", "/v1/targets", { uri, subscribed_events: ["*"] });
  const { attempt } = await relay.call("POST", `/v1/targets/${target.id}:test`);
  await relay.call("DELETE", `/v1/targets/${target.id}`);
  return attempt.error;
}
