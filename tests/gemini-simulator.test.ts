// The relay takes what the simulator of Gemini sends: both were made from the same facts, and share no code.

import { randomUUID } from "node:crypto";

import { expect } from "vitest";

import { SimulatorClock } from "@sluice/gemini-simulator/clock";

import { HOUR_MS, openSimulator } from "./support/gemini-simulator.ts";
import { type Relay, test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

const findEvent = (relay: Relay, webhookId: string | undefined) =>
  until(async () => (await relay.call("GET", `/v1/events?webhook_id=${webhookId}`)).data[0], { what: "the event" });

test("a registered webhook reaches a target through the relay: its ping, an event, and one after a rotation", async ({
  relay,
  receiver,
}) => {
  const simulator = await openSimulator({ clock: new SimulatorClock() });
  await relay.createTarget(receiver);
  const name = `registered-${randomUUID().slice(0, 8)}`;
  const { webhooks } = simulator.client;
  const { id = "", new_signing_secret: secret } = await webhooks.create({
    uri: `${relay.ingressUrl}/in/${name}`,
    subscribed_events: ["batch.succeeded"],
  });
  const source = await relay.call("POST", "/v1/sources", { name, signing_secret: secret });

  await webhooks.ping(id);
  await simulator.clock.settle();
  const job = simulator.jobs.start({ kind: "batch" });
  simulator.jobs.move(job, { state: "succeeded", fault: { kind: "duplicate" } });
  await receiver.waitFor(2);
  const { secret: next } = await webhooks.rotateSigningSecret(id);
  await relay.call("POST", `/v1/sources/${source.id}/signing-secrets`, { secret: next, previous: "revoke_after_24h" });
  await simulator.clock.advance(24 * HOUR_MS);
  simulator.jobs.move(simulator.jobs.start({ kind: "batch" }), { state: "succeeded" });
  await receiver.waitFor(3);
  await simulator.clock.settle();

  const deliveries = simulator.deliveries.list();
  expect(deliveries.map(({ type, state }) => [type, state])).toEqual([
    ["ping", "succeeded"],
    ["batch.succeeded", "succeeded"],
    ["batch.succeeded", "succeeded"],
  ]);
  for (const { webhookId } of deliveries) expect(await findEvent(relay, webhookId)).toMatchObject({ scheme: "v1" });
  // The target got each event once.
  expect(receiver.requests.map(({ headers }) => String(headers["webhook-id"])).toSorted()).toEqual(
    deliveries.map(({ webhookId }) => webhookId).toSorted(),
  );
});

test.for(["v1a", "jwt"] as const)(
  "a job that names the relay's address is accepted with its signature %s",
  async (scheme, { relay }) => {
    const simulator = await openSimulator({ clock: new SimulatorClock(), scheme });
    const name = `dynamic-${randomUUID().slice(0, 8)}`;
    const source = await relay.call("POST", "/v1/sources", {
      name,
      kind: "dynamic",
      jwks_uri: `${simulator.url}/.well-known/jwks.json`,
    });
    const uri = `${relay.ingressUrl}/in/${name}/${source.new_ingress_token}`;
    await relay.call("PATCH", `/v1/sources/${source.id}`, { audiences: [uri] });
    const job = simulator.jobs.start({ kind: "interaction", webhooks: { uris: [uri], userMetadata: { job: "j-1" } } });
    simulator.jobs.move(job, { state: "completed" });
    const event = await until(
      async () => {
        // The gateway may not know the source yet. Retries are a matter of the simulator's clock.
        await simulator.clock.advance(60_000);
        return (await relay.call("GET", `/v1/events?source=${source.id}`)).data[0];
      },
      { what: "the event" },
    );
    expect(event).toMatchObject({ type: "interaction.completed", scheme, user_metadata: { job: "j-1" } });
  },
);
