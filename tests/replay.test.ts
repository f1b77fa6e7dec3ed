// Replay and injection with a whole relay: events that are sent again by hand, and events that come through the API.

import { Webhook } from "standardwebhooks";
import { expect } from "vitest";

import { startReceiver } from "./support/receiver.ts";
import { test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

test("a replay sends an event to a target that is newer than the event, and again to one that got it", async ({
  relay,
  receiver,
}) => {
  const first = await relay.createTarget(receiver);
  const signed = await relay.sendEvent();
  await receiver.waitFor(1);
  const list = async (query: string) => (await relay.call("GET", `/v1/deliveries?${query}`)).data;
  const [delivery] = await until(() => list(`webhook_id=${signed.webhookId}&status=succeeded`), {
    accept: (found) => found.length === 1,
  });
  const later = await startReceiver();
  try {
    const second = await relay.createTarget(later);
    const { deliveries } = await relay.call("POST", `/v1/events/${delivery.event}:replay`, {});
    expect(deliveries).toHaveLength(2);
    expect(deliveries).toContainEqual({ target: first.id, delivery: delivery.id, result: "retried" });
    expect(deliveries).toContainEqual(expect.objectContaining({ target: second.id, result: "created" }));
    const [again] = (await receiver.waitFor(2)).slice(1);
    const [created] = await later.waitFor(1);
    expect(again?.headers["webhook-id"]).toBe(signed.webhookId);
    expect(again?.headers["sluice-attempt"]).toBe("2");
    expect(created?.body.equals(signed.body)).toBe(true);
    await until(() => list(`event=${delivery.event}&status=succeeded`), { accept: (found) => found.length === 2 });
  } finally {
    await relay.deleteTargets(later);
    await later.stop();
  }
});

test("an event that is replayed to a paused target is held until it is resumed", async ({ relay, receiver }) => {
  const event = await relay.call("POST", "/v1/events", { type: "batch.succeeded", data: { id: "batch_1" } });
  const target = await relay.createTarget(receiver, { state: "paused" });
  const { deliveries } = await relay.call("POST", `/v1/events/${event.id}:replay`, { targets: [target.id] });
  expect(await relay.call("GET", `/v1/deliveries/${deliveries[0].delivery}`)).toMatchObject({
    status: "pending",
    attempts: [],
  });
  await relay.call("PATCH", `/v1/targets/${target.id}`, { state: "enabled" });
  await receiver.waitFor(1);
});

test("an injected event is delivered, signed with the secret of its target", async ({ relay, receiver }) => {
  const target = await relay.createTarget(receiver, { filter: 'source == "api" && event.data.id == "batch_7"' });
  const data = { id: "batch_7", output_file_uri: "gs://my-bucket/results.jsonl" };
  const event = await relay.call("POST", "/v1/events", { type: "batch.succeeded", data });
  const [request] = await receiver.waitFor(1);
  const headers = request?.headers as Record<string, string>;
  expect(headers["webhook-id"]).toBe(event.webhook_id);
  const payload = new Webhook(target.new_signing_secret).verify(request?.body ?? "", headers);
  expect(payload).toEqual({ type: "batch.succeeded", version: "v1", timestamp: expect.any(String), data });
});
