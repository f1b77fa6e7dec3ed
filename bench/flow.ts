// Events through the whole relay, as fast as it delivers them: the generator waits for the receiver, so that a backlog
// stays small however long it runs.

import type { BenchReceiver, Generator } from "./children.ts";
import { type Load, now } from "./messages.ts";

/** As many as arrive in a fraction of a second. */
const MAX_UNDELIVERED = 2_000;
/** Many senders at once, as Gemini is: what a server that is asked by a few would do is mostly wait. */
export const CONNECTIONS = 256;

export interface Flow {
  generator: Generator;
  receiver: BenchReceiver;
  urls: string[];
  until: Load["until"];
  bodyBytes?: number;
  /** Targets that get each event. */
  fanOut?: number;
}

/** @returns events that were delivered to all their targets, each second. @throws Error when one was lost or came twice. */
export async function measureFlow(flow: Flow): Promise<number> {
  const { generator, receiver, urls, until, bodyBytes = 200, fanOut = 1 } = flow;
  receiver.reset();
  receiver.onCount((count) => generator.tellArrived(Math.floor(count / fanOut)));
  const load = { urls, bodyBytes, until, maxUndelivered: MAX_UNDELIVERED };
  const startedAt = now();
  const { accepted } = await generator.run({ ...load, pace: { kind: "closed", connections: CONNECTIONS } });
  await receiver.waitFor(accepted * fanOut);
  const { lastMs = startedAt, repeated } = await receiver.report();
  if (repeated > 0) throw new Error(`${repeated} deliveries came twice`);
  return (accepted * 1000) / (lastMs - startedAt);
}
