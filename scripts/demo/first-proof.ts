// The proof of the first start: one signed event through the ingress to the demonstration's receiver, with its trace.

import { errorText } from "@sluice/shared/runtime/error-text";
import { connectRelay, type RelayAddress } from "../relay/connection.ts";
import { sendDemoEvent } from "./event.ts";
import { startDemoReceiver } from "./receiver.ts";
import { deriveDemoSecrets, ensureDemo } from "./setup.ts";
import { printTrace } from "./trace.ts";

/** @returns whether the event was delivered. On a failure it prints the reason, and the relay keeps running. */
export async function proveRelay(address: RelayAddress): Promise<boolean> {
  console.log("\nThis is the first start. An event, signed as Gemini signs it, goes through the relay:");
  const receiver = await startDemoReceiver(deriveDemoSecrets(address.apiKey).target);
  const relay = connectRelay(address, 1);
  try {
    const setup = await ensureDemo(relay, receiver.url);
    return await printTrace(relay, setup.targetId, await sendDemoEvent(relay, setup));
  } catch (error) {
    console.error(`  failed     ${errorText(error)}`);
    return false;
  } finally {
    await relay.close();
    await receiver.stop();
  }
}
