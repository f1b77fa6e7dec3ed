// The proof of the first start: one signed event through the real ingress to the echo target, with its trace.

import { ensureDemo, sendDemoEvent } from "./event.ts";
import { errorText } from "../relay/error-text.ts";
import { connectRelay, type RelayAddress } from "../relay/connection.ts";
import { printTrace } from "./trace.ts";

/** @returns whether the event was delivered. A failure is printed, and the relay stays up to be looked into. */
export async function proveRelay(address: RelayAddress): Promise<boolean> {
  console.log("\nThis is the first start. An event, signed as Gemini signs it, goes through the relay:");
  const relay = connectRelay(address, 1);
  try {
    const setup = await ensureDemo(relay);
    return await printTrace(relay, setup.targetId, await sendDemoEvent(relay, setup));
  } catch (error) {
    console.error(`  failed     ${errorText(error)}`);
    return false;
  } finally {
    await relay.close();
  }
}
