// Runs examples/subscribe.ts as it is written.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { generateSigningSecret } from "@sluice/signature/secret";
import { expect, onTestFinished } from "vitest";

import { test } from "./support/relay.ts";
import { geminiEvent, signWebhook } from "./support/sign.ts";
import { until } from "./support/wait.ts";

test("examples/subscribe.ts subscribes, is pinged, gets a batch event, refuses a wrong signature, and leaves nothing behind", async ({
  relay,
}) => {
  const child = spawn(process.execPath, [fileURLToPath(new URL("../examples/subscribe.ts", import.meta.url))], {
    env: { PATH: process.env["PATH"], SLUICE_API: relay.apiUrl, SLUICE_API_KEY: relay.apiKey, PORT: "0" },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  const waitForOutput = (text: string) =>
    until(() => output, { accept: (all) => all.includes(text), timeoutMs: 80_000 });

  await waitForOutput(" ping {");
  const { webhookId } = await relay.sendEvent();
  await waitForOutput(`${webhookId} batch.succeeded {"id":"batch_123456"}`);

  const [{ uri }] = (await relay.call("GET", "/v1/webhooks")).webhooks;
  const { headers, body } = signWebhook({ secret: generateSigningSecret().text, body: geminiEvent() });
  const { status } = await fetch(uri, { method: "POST", headers, body });
  expect(status).toBe(401);
  await waitForOutput("refused an event: No matching signature found");

  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([0, null]);
  expect((await relay.call("GET", "/v1/webhooks")).webhooks).toEqual([]);
});
