// Interactions in the background, driven by the official client. A test is named after the fact that it keeps.

import type { Interactions } from "@google/genai";
import { expect, test } from "vitest";

import { callGemini, openSimulator, type TestSimulator } from "../../../../tests/support/gemini-simulator.ts";

const MODEL = "gemini-3.8-flash";

const create = async ({ client }: TestSimulator): Promise<Interactions.Interaction> =>
  client.interactions.create({ model: MODEL, input: "Write the report", background: true });

const move = ({ jobs }: TestSimulator, { id }: { id: string }, state: string) => jobs.move(jobs.get(id), { state });

test("an interaction in the background answers at once, and is read by its id until it ends", async () => {
  const simulator = await openSimulator();
  const { id, status } = await create(simulator);
  expect(status).toBe("in_progress");
  move(simulator, { id }, "completed");
  expect(await simulator.client.interactions.get(id)).toMatchObject({ id, status: "completed", model: MODEL });
});

test("an interaction that is not in the background has ended with its answer, and has no event", async () => {
  const simulator = await openSimulator();
  const webhook = { name: undefined, uri: "http://127.0.0.1:1/hook", subscribedEvents: ["interaction.completed"] };
  simulator.webhooks.create("default", webhook);
  const { status } = await simulator.client.interactions.create({ model: MODEL, input: "Write" });
  expect({ status, sent: simulator.deliveries.list() }).toEqual({ status: "completed", sent: [] });
});

test("webhook_config needs background=true, and is echoed", async () => {
  const simulator = await openSimulator();
  const config = { uris: ["https://relay.example/in/dynamic/token"], user_metadata: { job: "j-1" } };
  const request = { model: MODEL, input: "Write", webhook_config: config };
  await expect(simulator.client.interactions.create(request)).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining("background=true"),
  });
  const { webhook_config: echoed } = await simulator.client.interactions.create({ ...request, background: true });
  expect(echoed).toEqual(config);
});

test("errors of interactions have a code that is a string", async () => {
  const simulator = await openSimulator();
  expect(await callGemini(simulator, "POST", "/v1beta/interactions", { input: "Write" })).toMatchObject({
    status: 400,
    body: { error: { code: "invalid_request", message: expect.stringContaining("model") } },
  });
  expect(await callGemini(simulator, "GET", "/v1beta/interactions/nobody")).toMatchObject({
    status: 404,
    body: { error: { code: "not_found" } },
  });
});

test("nothing lists interactions", async () => {
  const simulator = await openSimulator();
  await create(simulator);
  expect((await callGemini(simulator, "GET", "/v1beta/interactions")).status).toBe(404);
});

test("an interaction in the background can be 404 later", async () => {
  const simulator = await openSimulator();
  const { id } = await create(simulator);
  simulator.jobs.get(id).isLost = true;
  await expect(simulator.client.interactions.get(id, {}, { maxRetries: 0 })).rejects.toMatchObject({ status: 404 });
});

test("the client cancels an interaction, and one that has ended cannot be cancelled", async () => {
  const simulator = await openSimulator();
  const { id } = await create(simulator);
  expect(await simulator.client.interactions.cancel(id)).toMatchObject({ status: "cancelled" });
  await expect(simulator.client.interactions.cancel(id)).rejects.toMatchObject({ status: 400 });
  await simulator.client.interactions.delete(id);
  await expect(simulator.client.interactions.get(id)).rejects.toMatchObject({ status: 404 });
});
