// Scripted failures, as the official client meets them.

import { expect, test } from "vitest";

import { openGeminiClient, openSimulator, type TestSimulator } from "../../../../tests/support/gemini-simulator.ts";

const INPUT = { uri: "https://relay.example/in/gemini", subscribed_events: ["batch.succeeded" as const] };
const ONCE = { maxRetries: 0 };

const create = ({ client }: TestSimulator, options?: object) => client.webhooks.create(INPUT, options);

test("the client sends a failed create five times by itself, and {maxRetries: 0} sends it once", async () => {
  const simulator = await openSimulator();
  simulator.faults.calls.add({ failure: { kind: "error", status: 503 }, route: "webhooks.create", times: 6 });
  await expect(create(simulator)).rejects.toMatchObject({ status: 503 });
  expect(simulator.requests.count({ route: "webhooks.create" })).toBe(5);
  await expect(create(simulator, ONCE)).rejects.toMatchObject({ status: 503 });
  expect(simulator.requests.count({ route: "webhooks.create" })).toBe(6);
}, 120_000);

test("an answer can be lost after the call had its effect, which makes a secret that nobody sees", async () => {
  const simulator = await openSimulator();
  simulator.faults.calls.add({ failure: { kind: "cut" }, effect: "applied", route: "webhooks.create" });
  await expect(create(simulator, ONCE)).rejects.toMatchObject({ name: "APIConnectionError" });
  const [webhook] = simulator.webhooks.list();
  const id = webhook?.id ?? "";
  expect(webhook?.uri).toBe(INPUT.uri);
  simulator.faults.calls.add({
    failure: { kind: "error", status: 500 },
    effect: "applied",
    route: "webhooks.rotateSigningSecret",
  });
  await expect(simulator.client.webhooks.rotateSigningSecret(id, {}, ONCE)).rejects.toMatchObject({ status: 500 });
  expect(webhook?.secrets).toHaveLength(2);
});

test("a connection can be lost before the call has its effect, without a status", async () => {
  const simulator = await openSimulator();
  simulator.faults.calls.add({ failure: { kind: "cut" } });
  await expect(create(simulator, ONCE)).rejects.toMatchObject({ name: "APIConnectionError", status: undefined });
  expect(simulator.webhooks.list()).toEqual([]);
});

test.for([
  [400, "BadRequestError"],
  [401, "AuthenticationError"],
  [403, "PermissionDeniedError"],
  [404, "NotFoundError"],
  [429, "RateLimitError"],
  [500, "InternalServerError"],
] as const)("status %i is the client's %s, whatever form the error has", async ([status, name]) => {
  const simulator = await openSimulator();
  for (const form of ["google", "string_code"] as const) {
    simulator.faults.calls.add({ failure: { kind: "error", status, form } });
    await expect(simulator.client.webhooks.get("any", {}, ONCE)).rejects.toMatchObject({ name, status });
  }
});

test("a 429 carries Retry-After", async () => {
  const simulator = await openSimulator();
  simulator.faults.calls.add({ failure: { kind: "error", status: 429, retryAfterSeconds: 7 } });
  const response = await fetch(`${simulator.url}/v1/webhooks`, { headers: { "x-goog-api-key": "simulated-key" } });
  expect([response.status, response.headers.get("retry-after")]).toEqual([429, "7"]);
  expect(await response.json()).toMatchObject({ error: { code: 429, status: "RESOURCE_EXHAUSTED" } });
});

test("a fault counts for its route and key alone, and after as many calls as it says", async () => {
  const simulator = await openSimulator();
  simulator.faults.calls.add({
    failure: { kind: "error", status: 403 },
    route: "webhooks.list",
    apiKey: "simulated-key",
    after: 1,
  });
  const other = openGeminiClient(simulator.url, "other-key");
  await other.webhooks.list();
  await simulator.client.webhooks.list();
  await other.webhooks.list();
  await create(simulator);
  await expect(simulator.client.webhooks.list()).rejects.toMatchObject({ status: 403 });
  await simulator.client.webhooks.list();
});

test("a call that hangs ends when the faults are cleared", async () => {
  const simulator = await openSimulator();
  simulator.faults.calls.add({ failure: { kind: "hang" }, effect: "applied" });
  const call = create(simulator, ONCE);
  const refused = expect(call).rejects.toMatchObject({ name: "APIConnectionError" });
  await expect.poll(() => simulator.webhooks.list()).toHaveLength(1);
  simulator.faults.calls.clear();
  await refused;
});

test("requests are counted by API key and route, with those that failed", async () => {
  const simulator = await openSimulator();
  await simulator.client.webhooks.list();
  await expect(simulator.client.webhooks.get("nobody")).rejects.toThrow();
  await openGeminiClient(simulator.url, "other-key").batches.list({ config: { pageSize: 1 } });
  await fetch(`${simulator.url}/.well-known/jwks.json`);
  expect(simulator.requests.counts()).toEqual({
    "simulated-key": { "webhooks.list": 1, "webhooks.get": 1 },
    "other-key": { "batches.list": 1 },
    "": { jwks: 1 },
  });
  expect(simulator.requests.list({ apiKey: "simulated-key" }).map(({ status }) => status)).toEqual([200, 404]);
});
