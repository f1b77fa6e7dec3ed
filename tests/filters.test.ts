// Which target gets which event: filters, filters that fail, and event types with two names.

import { readFileSync } from "node:fs";

import { expect } from "vitest";

import { type Receiver, startReceiver } from "./support/receiver.ts";
import { type Relay, test } from "./support/relay.ts";
import { geminiEvent } from "./support/sign.ts";
import { until } from "./support/wait.ts";

const idsOf = (receiver: Receiver) => receiver.requests.map(({ headers }) => String(headers["webhook-id"]));

/** The event in the log. When it is there, it is decided which targets get it. */
const findEvent = async (relay: Relay, webhookId: string) => {
  const { data } = await until(() => relay.call("GET", `/v1/events?webhook_id=${webhookId}`), {
    accept: (page) => page.data.length === 1,
  });
  return data[0];
};

test("a target gets what its filter matches, and no other event", async ({ relay, receiver }) => {
  const filter =
    'source == "gemini" && event.type.startsWith("batch.") && event.data.id.matches("^batch_[0-9]+$")' +
    ' && event.user_metadata.team == "billing"';
  const target = await relay.createTarget(receiver, { filter });
  expect(await relay.call("GET", `/v1/targets/${target.id}`)).toMatchObject({ filter });
  const send = (type: string, id: string, team: string) =>
    relay.sendEvent({ body: geminiEvent(type, { id, user_metadata: { team } }) });
  const others = [
    await send("batch.failed", "batch_x", "billing"),
    await send("batch.failed", "batch_1", "search"),
    await send("video.generated", "batch_1", "billing"),
  ];
  const wanted = await send("batch.failed", "batch_1", "billing");
  await receiver.waitFor(1);
  for (const { webhookId } of others) expect(await findEvent(relay, webhookId)).toMatchObject({ filter_errors: [] });
  expect((await relay.call("GET", `/v1/deliveries?target=${target.id}`)).data).toMatchObject([
    { webhook_id: wanted.webhookId },
  ]);

  await relay.call("PATCH", `/v1/targets/${target.id}`, { filter: null });
  const later = await send("video.generated", "v", "search");
  await receiver.waitFor(2);
  expect(idsOf(receiver)).toEqual([wanted.webhookId, later.webhookId]);
});

test("a filter that fails on an event does not match, is noted on the event, and holds up no other target", async ({
  relay,
  receiver,
}) => {
  const other = await startReceiver();
  try {
    const failing = await relay.createTarget(receiver, { filter: "event.data.attempts > 3" });
    const paused = await relay.createTarget(receiver, { filter: "event.data.attempts.nope", state: "paused" });
    await relay.createTarget(receiver, { filter: "event.data.attempts > 3", state: "disabled" });
    await relay.createTarget(receiver, { filter: "event.data.attempts > 3", subscribed_events: ["video.*"] });
    await relay.createTarget(other, { filter: "event.data.nope == 1 || true" });
    const without = await relay.sendEvent();
    await other.waitFor(1);
    const error = 'no such key: "attempts"';
    const event = await findEvent(relay, without.webhookId);
    expect(event.filter_errors).toHaveLength(2);
    expect(event.filter_errors).toEqual(
      expect.arrayContaining([
        { target: failing.id, error },
        { target: paused.id, error },
      ]),
    );
    expect(await relay.call("GET", `/v1/events/${event.id}`)).toMatchObject(event);

    const matching = await relay.sendEvent({ body: geminiEvent("batch.failed", { id: "b", attempts: 4 }) });
    await receiver.waitFor(1);
    expect(idsOf(receiver)).toEqual([matching.webhookId]);
  } finally {
    await relay.deleteTargets(other);
    await other.stop();
  }
});

test("a body that is no JSON, or nested too deep, is filtered too", async ({ relay, receiver }) => {
  await relay.createTarget(receiver, { filter: 'event.type == "" && event.data == null' });
  const deep = `{"data":{"user_metadata":${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}}}`;
  const bodies = ["", "{", '{"type":7,"user_metadata":{"a":"\\ud800"}}', Buffer.from([0xff, 0x00])];
  const sent = [];
  for (const body of bodies) sent.push((await relay.sendEvent({ body })).webhookId);
  const nested = await relay.sendEvent({ body: deep });
  await receiver.waitFor(bodies.length);
  expect(idsOf(receiver).toSorted()).toEqual(sent.toSorted());
  expect(await findEvent(relay, nested.webhookId)).toMatchObject({ user_metadata: null, filter_errors: [] });
});

test("batch.completed reaches a target that subscribed to batch.succeeded once, and the reverse", async ({
  relay,
  receiver,
}) => {
  const other = await startReceiver();
  try {
    const newer = await relay.createTarget(receiver, { subscribed_events: ["batch.succeeded"] });
    await relay.createTarget(other, { subscribed_events: ["batch.completed", "batch.succeeded"] });
    const completed = geminiEvent("batch.completed", { id: "b", error_count: 1 });
    const sent = [
      (await relay.sendEvent({ body: completed })).webhookId,
      (await relay.sendEvent({ body: geminiEvent("batch.succeeded") })).webhookId,
    ].toSorted();
    for (const each of [receiver, other]) {
      await each.waitFor(2);
      expect(idsOf(each).toSorted()).toEqual(sent);
    }
    expect(receiver.requests.map(({ body }) => body.toString())).toContain(completed);
    for (const type of ["batch.completed", "batch.succeeded"]) {
      const { data } = await relay.call("GET", `/v1/deliveries?target=${newer.id}&event_type=${type}`);
      expect(data.map((delivery: { event_type: string }) => delivery.event_type).toSorted()).toEqual([
        "batch.completed",
        "batch.succeeded",
      ]);
    }
  } finally {
    await relay.deleteTargets(other);
    await other.stop();
  }
});

test("a filter reads both shapes of video.generated, and the body is delivered unchanged", async ({
  relay,
  receiver,
}) => {
  await relay.createTarget(receiver, { filter: "event.data.output_file_uri == event.data.video_uri" });
  const shapes = [
    geminiEvent("video.generated", { id: "v1", file_id: "files/1", video_uri: "gs://bucket/1.mp4" }),
    geminiEvent("video.generated", { id: "v2", file_name: "files/2", output_file_uri: "gs://bucket/2.mp4" }),
  ];
  for (const body of shapes) await relay.sendEvent({ body });
  const requests = await receiver.waitFor(2);
  expect(requests.map(({ body }) => body.toString()).toSorted()).toEqual(shapes.toSorted());
});

test("the example of a filter in docs/filters.md does what it says", async ({ relay, receiver }) => {
  const page = readFileSync(new URL("../docs/filters.md", import.meta.url), "utf8");
  const filter = /```cel\n([^]*?)\n```/.exec(page)?.[1];
  await relay.createTarget(receiver, { filter });
  const send = (type: string, data: object) => relay.sendEvent({ body: geminiEvent(type, { id: "b", ...data }) });
  await send("batch.succeeded", { user_metadata: { team: "search" } });
  await send("batch.failed", { error_code: "CANCELLED" });
  const wanted = [
    await send("batch.succeeded", { user_metadata: { team: "billing" } }),
    await send("batch.failed", { error_code: "RESOURCE_EXHAUSTED" }),
  ];
  await receiver.waitFor(2);
  expect(idsOf(receiver).toSorted()).toEqual(wanted.map(({ webhookId }) => webhookId).toSorted());
});
