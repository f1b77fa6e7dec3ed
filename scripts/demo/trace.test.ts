// What the demonstration prints of an event that went through a real relay to its receiver.

import { generateSigningSecret } from "@sluice/signature/secret";
import { expect, onTestFinished, vi } from "vitest";

import { type Relay, test } from "../../tests/support/relay.ts";
import { connectRelay } from "../relay/connection.ts";
import { sendDemoEvent } from "./event.ts";
import { flood } from "./flood.ts";
import { startDemoReceiver } from "./receiver.ts";
import { deriveDemoSecrets, ensureDemo } from "./setup.ts";
import { printTrace } from "./trace.ts";

/** Sends events to a receiver that knows a secret. @returns the outcome and everything that was printed. */
async function demonstrate({ ingressUrl, apiUrl, apiKey }: Relay, secret: string, count = 1) {
  const receiver = await startDemoReceiver(secret);
  onTestFinished(receiver.stop);
  const connection = connectRelay({ ingressUrl, apiUrl, apiKey, apiKeyHint: "$KEY" }, 4);
  onTestFinished(connection.close);
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
  onTestFinished(() => log.mockRestore());
  const setup = await ensureDemo(connection, receiver.url);
  const isDelivered =
    count > 1
      ? await flood(connection, setup, count)
      : await printTrace(connection, setup.targetId, await sendDemoEvent(connection, setup));
  return { isDelivered, printed: lines.join("\n") };
}

test("one event is delivered, and the trace says which library verified its signature", async ({ relay }) => {
  const { isDelivered, printed } = await demonstrate(relay, deriveDemoSecrets(relay.apiKey).target);
  expect(isDelivered).toBe(true);
  expect(printed).toMatch(/^ {2}signature +verified by the standardwebhooks library$/m);
  expect(printed).toMatch(/^ {2}succeeded +dlv_\w+ to sluice-demo$/m);
  const [, event] = /^ {2}stored +(evt_\w+),/m.exec(printed) ?? [];
  const link = `${relay.apiUrl}/console/sign-in#code=CODE&to=/console/events/${event}`;
  expect(/^ {2}console +(.*)$/m.exec(printed)?.[1]?.replace(/(?<=#code=)[\w-]+/, "CODE")).toBe(link);
});

test("one event with a signature that does not hold fails the demonstration", async ({ relay }) => {
  const { isDelivered, printed } = await demonstrate(relay, generateSigningSecret().text);
  expect(isDelivered).toBe(false);
  expect(printed).toMatch(/^ {2}attempt 1 +to sluice-demo: 401 /m);
  expect(printed).toMatch(/^ {2}signature +refused by the standardwebhooks library: No matching signature found$/m);
  expect(printed).toMatch(/^ {2}failed +the target sluice-demo refused the signature of the relay$/m);
});

test("many events are delivered, and the summary says which library verified their signatures", async ({ relay }) => {
  const { isDelivered, printed } = await demonstrate(relay, deriveDemoSecrets(relay.apiKey).target, 20);
  expect(isDelivered).toBe(true);
  expect(printed).toContain("signatures verified by the standardwebhooks library");
});

test("many events with signatures that do not hold fail the demonstration at once", async ({ relay }) => {
  const { isDelivered, printed } = await demonstrate(relay, generateSigningSecret().text, 20);
  expect(isDelivered).toBe(false);
  expect(printed).toContain("failed     the standardwebhooks library refused the signature of a delivery");
});
