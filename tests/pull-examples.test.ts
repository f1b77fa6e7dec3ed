// Runs examples/pull.ts and examples/receivers/pull.py as they are written.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { generateSigningSecret } from "@sluice/signature/secret";
import { expect, onTestFinished } from "vitest";

import { findMissingTool } from "./support/installed.ts";
import { type Relay, test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

const EXAMPLES = join(import.meta.dirname, "../examples");

function start(command: string, file: string, env: Record<string, string>) {
  const child = spawn(command, [join(EXAMPLES, file)], { env: { PATH: process.env["PATH"] ?? "", ...env } });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  const waitFor = (text: string) =>
    until(() => output, { accept: (all) => all.includes(text), timeoutMs: 80_000, what: text });
  return { child, waitFor };
}

const waitForDelivery = (relay: Relay, webhookId: string, accept: object) =>
  until(() => relay.call("GET", `/v1/deliveries?webhook_id=${webhookId}`), {
    accept: ({ data }) => Object.entries(accept).every(([name, value]) => data[0]?.[name] === value),
    what: JSON.stringify(accept),
  });

test("examples/pull.ts makes its target, pulls, verifies and reports", async ({ relay }) => {
  const { child, waitFor } = start(process.execPath, "pull.ts", {
    SLUICE_API: relay.apiUrl,
    SLUICE_API_KEY: relay.apiKey,
  });
  await waitFor("pulling for pull-example");
  const { webhookId } = await relay.sendEvent();
  await waitFor(`${webhookId} batch.succeeded {"id":"batch_123456"}`);
  await waitForDelivery(relay, webhookId, { status: "succeeded", last_status_code: 204 });

  const { id } = await relay.call("GET", "/v1/targets/by-name/pull-example");
  await relay.call("POST", `/v1/targets/${id}:rotate-secret`, { previous: "revoke_immediately" });
  // A pull that waits already learns of the new secret within half a second.
  const refused = await until(async () => {
    const second = await relay.sendEvent();
    const { data } = await until(() => relay.call("GET", `/v1/deliveries?webhook_id=${second.webhookId}`), {
      accept: ({ data: [delivery] }) => typeof delivery?.last_status_code === "number",
      what: "an attempt",
    });
    return data[0].last_status_code === 401 ? second.webhookId : undefined;
  });
  await waitFor("refused an event: No matching signature found");
  await waitForDelivery(relay, refused ?? "", { status: "pending", last_status_code: 401 });

  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([0, null]);
  await relay.call("DELETE", `/v1/targets/${id}`);
});

const missing = findMissingTool(["python3"]);
test.skipIf(missing !== undefined)(
  `the example in Python pulls with a key for its target, verifies and reports${missing === undefined ? "" : ` (skipped: ${missing} is not installed)`}`,
  async ({ relay }) => {
    const target = await relay.call("POST", "/v1/targets", { kind: "pull", subscribed_events: ["*"] });
    const { key } = await relay.call("POST", "/v1/keys", { name: "python", scopes: [`target:${target.id}`] });
    const env = { SLUICE_API: relay.apiUrl, SLUICE_API_KEY: key, TARGET_ID: target.id };
    const right = start("python3", "receivers/pull.py", { ...env, WEBHOOK_SECRET: target.new_signing_secret });
    await right.waitFor("pulling");
    const { webhookId } = await relay.sendEvent();
    await right.waitFor(`${webhookId} batch.succeeded`);
    await waitForDelivery(relay, webhookId, { status: "succeeded", last_status_code: 204 });
    right.child.kill("SIGINT");
    expect(await once(right.child, "exit")).toEqual([0, null]);

    const wrong = start("python3", "receivers/pull.py", { ...env, WEBHOOK_SECRET: generateSigningSecret().text });
    await wrong.waitFor("pulling");
    const second = await relay.sendEvent();
    await waitForDelivery(relay, second.webhookId, { status: "pending", last_status_code: 401 });
    await relay.call("DELETE", `/v1/targets/${target.id}`);
  },
);
