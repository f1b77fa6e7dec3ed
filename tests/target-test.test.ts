// POST /v1/targets/{id}:test: a worker sends one signed event to one target, once.

import { Webhook } from "standardwebhooks";
import { expect } from "vitest";

import { startReceiver } from "./support/receiver.ts";
import { relayTest, test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

test("a test reaches only its target, whatever the target subscribed to, and answers with the attempt", async ({
  relay,
  receiver,
}) => {
  const other = await startReceiver();
  await relay.createTarget(other);
  receiver.answerWith(() => ({ status: 202, body: "thank you" }));
  const target = await relay.createTarget(receiver, { subscribed_events: ["video.generated"], filter: "false" });
  const { event, delivery, attempt } = await relay.call("POST", `/v1/targets/${target.id}:test`);
  expect(attempt).toMatchObject({
    delivery: delivery.id,
    number: 1,
    status_code: 202,
    error: null,
    response_excerpt: "thank you",
  });
  expect(attempt.duration_ms).toBeGreaterThan(0);
  expect(delivery).toMatchObject({ event, target: target.id, status: "succeeded", event_type: "sluice.test" });

  const [request] = receiver.requests;
  const headers = request?.headers as Record<string, string>;
  const payload = new Webhook(target.new_signing_secret).verify(request?.body.toString() ?? "", headers);
  expect(payload).toMatchObject({ type: "sluice.test", version: "v1", data: { id: target.id } });
  expect(headers["sluice-event-id"]).toBe(event);
  // The test event is in the log like any other event.
  expect(await relay.call("GET", `/v1/events/${event}`)).toMatchObject({ type: "sluice.test", payload });
  expect((await relay.call("GET", `/v1/deliveries?event=${event}`)).data).toHaveLength(1);
  expect(other.requests).toHaveLength(0);
  await relay.deleteTargets(other);
  await other.stop();
});

test.for(["paused", "disabled"])(
  "a target that is %s is tested too, and stays so",
  async (state, { relay, receiver }) => {
    const target = await relay.createTarget(receiver, { state });
    const { attempt } = await relay.call("POST", `/v1/targets/${target.id}:test`);
    expect(attempt).toMatchObject({ status_code: 200 });
    expect(receiver.requests).toHaveLength(1);
    expect(await relay.call("GET", `/v1/targets/${target.id}`)).toMatchObject({ state });
  },
);

test("a test that fails is not tried again, and a retry by hand is one attempt too", async ({ relay, receiver }) => {
  receiver.answerWith(() => ({ status: 500, body: "no" }));
  const target = await relay.createTarget(receiver);
  const { delivery, attempt } = await relay.call("POST", `/v1/targets/${target.id}:test`);
  expect(attempt).toMatchObject({ status_code: 500, response_excerpt: "no" });
  expect(delivery).toMatchObject({ status: "exhausted", next_attempt_at: null, attempt_count: 1 });

  await relay.call("POST", `/v1/deliveries/${delivery.id}:retry`);
  await until(() => relay.call("GET", `/v1/deliveries/${delivery.id}`), {
    accept: ({ status, attempt_count: count }) => status === "exhausted" && count === 2,
  });
});

test("a target that refuses connections is reported in the error of the attempt", async ({ relay, receiver }) => {
  const gone = await startReceiver();
  await gone.stop();
  const target = await relay.createTarget(receiver, { uri: gone.url });
  const { attempt } = await relay.call("POST", `/v1/targets/${target.id}:test`);
  expect(attempt).toMatchObject({ status_code: null, error: expect.stringContaining("ECONNREFUSED") });
});

test("a target that never answers is reported after its timeout", async ({ relay, receiver }) => {
  receiver.answerWith(() => "hang");
  const target = await relay.createTarget(receiver, { timeout_seconds: 1 });
  const { attempt } = await relay.call("POST", `/v1/targets/${target.id}:test`);
  expect(attempt).toMatchObject({ status_code: null, error: expect.stringContaining("timeout:") });
});

const withoutWorker = relayTest({ withoutWorker: true });

withoutWorker(
  "without a worker a test answers that no attempt was made, and the attempt is made when a worker starts",
  async ({ relay, receiver }) => {
    const target = await relay.createTarget(receiver, { timeout_seconds: 1, state: "disabled" });
    const response = await fetch(`${relay.apiUrl}/v1/targets/${target.id}:test`, {
      method: "POST",
      headers: { "x-goog-api-key": relay.apiKey },
    });
    expect(response.status).toBe(202);
    const { delivery, attempt } = (await response.json()) as { delivery: { id: string }; attempt: null };
    expect(attempt).toBeNull();
    expect(delivery).toMatchObject({ status: "pending", attempt_count: 0 });

    const worker = await relay.startWorker();
    await receiver.waitFor(1);
    await until(() => relay.call("GET", `/v1/deliveries/${delivery.id}`), {
      accept: ({ status }) => status === "succeeded",
    });
    await worker.stop();
  },
);
