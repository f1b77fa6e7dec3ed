// What a target gets while it is created, paused, resumed, disabled, deleted, or slow.

import { expect } from "vitest";

import { letWorkerLook } from "./support/let-worker-look.ts";
import { startReceiver } from "./support/receiver.ts";
import { type Relay, test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

async function listDeliveries(relay: Relay, query: string): Promise<{ id: string; status: string }[]> {
  return (await relay.call("GET", `/v1/deliveries?limit=250&${query}`)).data;
}

test("a target gets the event that is sent right after its creation, every time", async ({ relay, receiver }) => {
  for (let round = 1; round <= 10; round++) {
    const target = await relay.createTarget(receiver);
    const signed = await relay.sendEvent();
    await until(() => receiver.requests.some(({ headers }) => headers["webhook-id"] === signed.webhookId));
    expect(await listDeliveries(relay, `target=${target.id}&webhook_id=${signed.webhookId}`)).toHaveLength(1);
    await relay.deleteTargets(receiver);
  }
});

test("the deliveries of a paused target are held, and sent when it is resumed", async ({ relay, receiver }) => {
  const target = await relay.createTarget(receiver, { state: "paused" });
  const sent = await Promise.all(Array.from({ length: 20 }, () => relay.sendEvent()));
  await until(() => listDeliveries(relay, `target=${target.id}&status=pending`), {
    accept: (all) => all.length === 20,
  });
  await letWorkerLook(relay);
  expect(receiver.requests).toHaveLength(0);

  await relay.call("PATCH", `/v1/targets/${target.id}`, { state: "enabled" });
  const requests = await receiver.waitFor(21);
  const ids = new Set(requests.map(({ headers }) => headers["webhook-id"]));
  for (const { webhookId } of sent) expect(ids).toContain(webhookId);
  await until(() => listDeliveries(relay, `target=${target.id}&status=succeeded`), {
    accept: (all) => all.length === 21,
  });
});

test("a delivery that is being retried waits while its target is paused", async ({ relay, receiver }) => {
  receiver.answerWith(() => ({ status: 500 }));
  const target = await relay.createTarget(receiver, {
    retry: { base_seconds: 0.5, cap_seconds: 0.5, horizon_seconds: 60 },
  });
  const signed = await relay.sendEvent();
  await receiver.waitFor(1);
  await relay.call("PATCH", `/v1/targets/${target.id}`, { state: "paused" });
  await letWorkerLook(relay);
  receiver.answerWith(() => ({ status: 200 }));
  expect(await listDeliveries(relay, `webhook_id=${signed.webhookId}`)).toMatchObject([{ status: "pending" }]);
  await relay.call("PATCH", `/v1/targets/${target.id}`, { state: "enabled" });
  await until(() => listDeliveries(relay, `webhook_id=${signed.webhookId}`), {
    accept: ([delivery]) => delivery?.status === "succeeded",
  });
});

test("a disabled target never gets the events that came while it was disabled", async ({ relay, receiver }) => {
  const target = await relay.createTarget(receiver, { state: "disabled" });
  const earlier = await relay.sendEvent();
  // The targets of an event are decided when it is stored.
  const find = () => relay.call("GET", `/v1/events?webhook_id=${earlier.webhookId}`);
  await until(find, { accept: ({ data }) => data.length === 1 });
  await relay.call("PATCH", `/v1/targets/${target.id}`, { state: "enabled" });
  const later = await relay.sendEvent();
  const [first] = await receiver.waitFor(1);
  expect(first?.headers["webhook-id"]).toBe(later.webhookId);
});

test("the pending deliveries of a deleted target are cancelled, and stay in the log", async ({ relay, receiver }) => {
  receiver.answerWith(() => ({ status: 500 }));
  const target = await relay.createTarget(receiver, {
    retry: { base_seconds: 600, cap_seconds: 600, horizon_seconds: 3_600 },
  });
  const signed = await relay.sendEvent();
  const [before] = await until(() => listDeliveries(relay, `webhook_id=${signed.webhookId}`), {
    accept: ([delivery]) => delivery !== undefined && receiver.requests.length === 1,
  });
  await until(async () => (await relay.call("GET", `/v1/deliveries/${before?.id}`)).attempts.length === 1);
  await relay.deleteTargets(receiver);
  const after = await relay.call("GET", `/v1/deliveries/${before?.id}`);
  expect(after).toMatchObject({ status: "cancelled", next_attempt_at: null, target: target.id });
  expect(after.attempts).toHaveLength(1);
  await expect(relay.call("POST", `/v1/deliveries/${before?.id}:retry`)).rejects.toThrow("target_gone");
});

test("a target that never answers does not hold up another", async ({ relay, receiver }) => {
  const dead = await startReceiver();
  dead.answerWith(() => "hang");
  try {
    await relay.createTarget(dead, { timeout_seconds: 30, max_in_flight: 5 });
    await relay.createTarget(receiver);
    const sent = await Promise.all(Array.from({ length: 100 }, () => relay.sendEvent()));
    const requests = await receiver.waitFor(100);
    expect(new Set(requests.map(({ headers }) => headers["webhook-id"])).size).toBe(sent.length);
    // The limit of the hanging target itself holds too.
    await dead.waitFor(5);
    expect(dead.requests).toHaveLength(5);
  } finally {
    await relay.deleteTargets(dead);
    await dead.stop();
  }
});
