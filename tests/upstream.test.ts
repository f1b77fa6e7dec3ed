// A webhook that the relay manages at Gemini, over the whole way: registered, watched, rotated and healed by a
// running relay.

import { randomUUID } from "node:crypto";

import { expect } from "vitest";

import { type GeminiSimulator, startGeminiSimulator } from "@sluice/gemini-simulator/simulator";
import { parseId } from "@sluice/shared/domain/ids";

import { test as base } from "./support/database.ts";
import { claimPort } from "./support/ports.ts";
import { type Receiver, startReceiver } from "./support/receiver.ts";
import { createQueueRedis, type Relay, startRelay } from "./support/relay.ts";
import { until } from "./support/wait.ts";

const KEY = "AIzaSy-key-of-the-whole-way";

// oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
type Json = any;

const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture depends on off this pattern.
  .extend("simulator", { scope: "file" }, async ({}, { onCleanup }) => {
    const simulator = await startGeminiSimulator({ retry: { firstDelayMs: 100, maxDelayMs: 500 } });
    onCleanup(simulator.stop);
    return simulator;
  })
  .extend("relay", { scope: "file" }, async ({ database, simulator }, { onCleanup }) => {
    const redis = await createQueueRedis();
    const port = String(await claimPort());
    const settings = { PORT: port, PUBLIC_URL: `http://127.0.0.1:${port}`, GEMINI_BASE_URL: simulator.url };
    const relay = await startRelay(database, redis?.url, { settings });
    onCleanup(async () => {
      await relay.stop();
      await redis?.drop();
    });
    return relay;
  })
  .extend("receiver", async ({ relay }, { onCleanup }) => {
    const receiver = await startReceiver();
    onCleanup(async () => {
      await relay.deleteTargets(receiver);
      await receiver.stop();
    });
    return receiver;
  });

async function makeSource(relay: Relay, simulator: GeminiSimulator) {
  for (const webhook of simulator.webhooks.list()) simulator.webhooks.delete(webhook);
  const name = `managed-${randomUUID().slice(0, 8)}`;
  const { id } = await relay.call("POST", "/v1/sources", { name, gemini_api_key: KEY });
  const path = `/v1/sources/${id}/upstream`;
  const makeDue = () =>
    relay.database.db.pool.query("UPDATE upstreams SET next_check_at = now() WHERE source_id = $1", [
      parseId("src", id, "id"),
    ]);
  return { id, path, makeDue };
}

const stepsOf = ({ steps }: Json): string[] => steps.map(({ step }: Json) => step);

function onlyWebhook(simulator: GeminiSimulator) {
  const [webhook, ...others] = simulator.webhooks.list();
  if (webhook === undefined || others.length > 0) throw new Error("Gemini does not have just one webhook");
  return webhook;
}

/** Lets a job end at Gemini. @returns the `webhook-id` of its event. */
function endJob(simulator: GeminiSimulator): string | undefined {
  simulator.jobs.move(simulator.jobs.start({ kind: "batch" }), { state: "succeeded" });
  return simulator.deliveries.list().at(-1)?.webhookId;
}

const idsAt = (receiver: Receiver) => receiver.requests.map(({ headers }) => headers["webhook-id"]);
const driftsAt = (receiver: Receiver): Json[] =>
  receiver.requests.map(({ body }) => JSON.parse(String(body))).filter(({ type }) => type === "sluice.source.drift");

test("a registration proves the whole way: the ping arrives, and then events reach targets", async ({
  relay,
  simulator,
  receiver,
}) => {
  await relay.createTarget(receiver);
  const { path } = await makeSource(relay, simulator);
  const result = await relay.call("POST", `${path}:register`);
  expect(stepsOf(result)).toEqual(["created", "secret_stored", "pinged", "event_seen", "checked"]);
  expect(result.warnings).toEqual([]);
  expect(result.upstream).toMatchObject({ state: "enabled", drift: [], last_event_at: expect.any(String) });
  const webhookId = endJob(simulator);
  await until(() => idsAt(receiver).includes(webhookId), { what: "the event at the target" });
  const metrics = await relay.readMetrics();
  expect(metrics).toMatch(/^sluice_upstream_enabled\{source="managed-\w+"\} 1$/m);
  expect(metrics).toMatch(/^sluice_gemini_requests_this_hour\{source="managed-\w+"\} [1-9]/m);
  expect(relay.logLines.join("\n") + metrics).not.toContain(KEY);
});

test("a rotation loses nothing: events before, during and after it verify", async ({ relay, simulator, receiver }) => {
  await relay.createTarget(receiver);
  const { path } = await makeSource(relay, simulator);
  await relay.call("POST", `${path}:register`);
  const ids = [endJob(simulator)];
  const result = await relay.call("POST", `${path}:rotate`);
  expect(stepsOf(result)).toEqual(["rotated", "secret_stored", "checked"]);
  expect(result.upstream.signing_secrets).toHaveLength(2);
  ids.push(endJob(simulator));
  // As after the 24 hours, in which Gemini signs with both.
  onlyWebhook(simulator).secrets.shift();
  ids.push(endJob(simulator));
  await until(() => ids.every((id) => idsAt(receiver).includes(id)), { what: "all events at the target" });
});

test("a registration whose answer was lost is ended by a worker", async ({ relay, simulator, receiver }) => {
  await relay.createTarget(receiver);
  const { path, makeDue } = await makeSource(relay, simulator);
  simulator.faults.calls.add({ failure: { kind: "cut" }, effect: "applied", route: "webhooks.create" });
  await expect(relay.call("POST", `${path}:register`)).rejects.toThrow("gemini_failed");
  expect((await relay.call("GET", path)).under_way).toMatchObject({ action: "register", failures: 1 });
  await makeDue();
  await until(async () => (await relay.call("GET", path)).state === "enabled", { what: "the registered webhook" });
  // The one that was lost, and the one that the source has.
  expect(onlyWebhook(simulator).secrets).toHaveLength(2);
  const webhookId = endJob(simulator);
  await until(() => idsAt(receiver).includes(webhookId), { what: "the event at the target" });
});

test("what Gemini disabled is told to the targets that name it, and enabled again where the source says so", async ({
  relay,
  simulator,
  receiver,
}) => {
  await relay.createTarget(receiver, { subscribed_events: ["sluice.source.drift"] });
  const { id, path, makeDue } = await makeSource(relay, simulator);
  await relay.call("POST", `${path}:register`);
  const webhook = onlyWebhook(simulator);
  simulator.webhooks.setState(webhook, "disabled_due_to_failed_deliveries");
  await makeDue();
  await until(() => driftsAt(receiver).length === 1, { what: "the operational event" });
  expect(driftsAt(receiver)[0].data).toMatchObject({
    id,
    webhook_id: webhook.id,
    state: "disabled_due_to_failed_deliveries",
    drift: [{ code: "disabled_due_to_failed_deliveries", detail: expect.stringContaining("upstream:heal") }],
  });
  expect((await relay.call("GET", `/v1/sources/${id}`)).upstream.drift).toEqual(["disabled_due_to_failed_deliveries"]);

  await relay.call("PATCH", path, { heal: "auto" });
  await makeDue();
  await until(() => driftsAt(receiver).length === 2, { what: "the end of the difference" });
  expect(driftsAt(receiver)[1].data).toMatchObject({ id, state: "enabled", drift: [] });
  expect(webhook.state).toBe("enabled");
  expect((await relay.call("GET", path)).healed_at).toHaveLength(1);
  await makeDue();
  await until(async () => (await relay.call("GET", path)).under_way === null);
  expect(driftsAt(receiver)).toHaveLength(2);
});

test("a webhook that is refused says why the ping was not seen", async ({ relay, simulator }) => {
  const { id, path } = await makeSource(relay, simulator);
  await relay.call("POST", `${path}:register`);
  // Somebody rotated elsewhere, and Gemini dropped what the source knows.
  simulator.webhooks.rotate(onlyWebhook(simulator), "end_now");
  const result = await relay.call("POST", `${path}:heal`);
  expect(result.warnings).toEqual([
    { code: "ping_not_seen", detail: expect.stringContaining("refused with signature_mismatch") },
  ]);
  expect(result.upstream.drift.map(({ code }: Json) => code)).toEqual(["secret_unknown"]);
  const rotated = await relay.call("POST", `${path}:rotate`);
  expect(rotated.upstream.drift).toEqual([]);
  expect((await relay.call("GET", `/v1/sources/${id}`)).upstream).toEqual({ state: "enabled", drift: [] });
});
