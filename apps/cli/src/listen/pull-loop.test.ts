import type { SluiceClient } from "@sluice/client/client";
import { expect, test } from "vitest";

import { type PullLoopEvent, runPullLoop } from "./pull-loop.ts";

/** A relay of which the first pulls get no answer, as while it is away, or while this process is stopped. */
function relayThatIsSilent(pulls: number) {
  let tries = 0;
  const post = async (_path: string, { signal }: { signal: AbortSignal }) => {
    tries += 1;
    signal.throwIfAborted();
    if (tries > pulls) return { deliveries: [], waiting: 3, state: "enabled" };
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  };
  return { api: { post } as unknown as SluiceClient, countTries: () => tries };
}

test("a relay that was silent for longer than a pull may take is found again", async () => {
  const { api, countTries } = relayThatIsSilent(2);
  const stop = new AbortController();
  const events: PullLoopEvent[] = [];
  const onEvent = (event: PullLoopEvent) => {
    events.push(event);
    if (event.kind === "connected") stop.abort();
  };
  await runPullLoop({
    api,
    targetId: "tgt_1",
    concurrency: 1,
    work: async () => undefined,
    onEvent,
    pullLimitMs: 20,
    signal: stop.signal,
  });
  expect(countTries()).toBe(3);
  expect(events.map(({ kind }) => kind)).toEqual(["lost", "connected"]);
});
