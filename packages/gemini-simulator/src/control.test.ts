// The control interface over HTTP, in a process of its own, as a demonstration uses it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { expect, onTestFinished, test } from "vitest";

import { openGeminiClient, openSimulator } from "../../../tests/support/gemini-simulator.ts";
import { startReceiver } from "../../../tests/support/receiver.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

// oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
type Answer = { status: number; body: any };

const controlAt =
  (url: string) =>
  async (call: string, input: object | string = {}): Promise<Answer> => {
    const body = typeof input === "string" ? input : JSON.stringify(input);
    const response = await fetch(`${url}/simulator/${call}`, { method: "POST", body });
    return { status: response.status, body: await response.json() };
  };

/** Starts the simulator as a process. @returns its URL and how it ends. */
async function startProcess(...options: string[]) {
  const child = spawn(process.execPath, [MAIN, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  onTestFinished(async () => {
    child.kill();
    await ended;
  });
  const [url] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { url, child, ended };
}

test("a process of its own is steered over HTTP: a job from its start to its event, with a fault and a clock", async () => {
  const { url, child, ended } = await startProcess("--standing-clock", "--time", "2026-01-22T12:00:00Z");
  const control = controlAt(url);
  const receiver = await startReceiver();
  onTestFinished(() => receiver.stop());
  await openGeminiClient(url).webhooks.create({ uri: receiver.url, subscribed_events: ["video.generated"] });
  await control("faults/addDelivery", { fault: { kind: "late", delayMs: 60_000 }, type: "video.generated" });
  const { body: job } = await control("jobs/start", { kind: "video", model: "veo" });
  expect(job).toMatchObject({ kind: "video", state: "running", createdAtMs: Date.UTC(2026, 0, 22, 12) });
  expect((await control("jobs/move", { name: job.name, state: "generated" })).body).toMatchObject({
    state: "generated",
  });
  expect((await control("deliveries/settle")).body).toEqual({ unfinished: 1 });
  expect((await control("clock/advance", { ms: 60_000 })).body).toEqual({ now: "2026-01-22T12:01:00.000Z" });
  expect(receiver.requests).toHaveLength(1);
  expect((await control("deliveries/list")).body.deliveries).toMatchObject([
    { type: "video.generated", subject: job.name, state: "succeeded", attempts: [{ result: { status: 200 } }] },
  ]);
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});

test("secrets and API keys are not shown", async () => {
  const simulator = await openSimulator();
  const control = controlAt(simulator.url);
  const webhook = await simulator.client.webhooks.create({
    uri: "http://127.0.0.1:1",
    subscribed_events: ["batch.failed"],
  });
  const shown = await Promise.all(
    ["webhooks/list", "requests/list", "requests/counts"].map(async (call) => (await control(call)).body),
  );
  expect(shown).toMatchObject([
    { webhooks: [{ id: webhook.id, secretCount: 1 }] },
    { requests: [{ apiKey: "…-key", route: "webhooks.create", status: 200 }] },
    { counts: [{ apiKey: "…-key", routes: { "webhooks.create": 1 } }] },
  ]);
  expect(JSON.stringify(shown)).not.toContain(webhook.new_signing_secret);
  expect(JSON.stringify(shown)).not.toContain("simulated-key");
});

test("faults of the API, states of webhooks and jobs are set over HTTP", async () => {
  const simulator = await openSimulator();
  const control = controlAt(simulator.url);
  await control("faults/addCall", { failure: { kind: "error", status: 403 }, times: 2 });
  await expect(simulator.client.webhooks.list()).rejects.toMatchObject({ status: 403 });
  await control("faults/clear");
  const { id = "" } = await simulator.client.webhooks.create({
    uri: "http://127.0.0.1:1",
    subscribed_events: ["batch.failed"],
  });
  await control("webhooks/setState", { id, state: "disabled_due_to_failed_deliveries" });
  expect((await simulator.client.webhooks.get(id)).state).toBe("disabled_due_to_failed_deliveries");
  const { body: job } = await control("jobs/start", { kind: "batch" });
  await control("jobs/hide", { name: job.name });
  await control("jobs/lose", { name: job.name });
  expect((await control("jobs/get", { name: job.name })).body).toMatchObject({ isHidden: true, isLost: true });
  expect((await control("jobs/list")).body.jobs).toHaveLength(1);
  expect((await control("clock/set", { time: "2027-01-01T00:00:00Z" })).body).toEqual({
    now: "2027-01-01T00:00:00.000Z",
  });
  expect((await control("clock/get")).body).toEqual({ now: "2027-01-01T00:00:00.000Z" });
  expect((await control("deliveries/releaseHeld")).status).toBe(200);
});

test("a fault in a call is named with its field", async () => {
  const control = controlAt((await openSimulator()).url);
  const errorOf = async (call: string, input: object | string) => {
    const { status, body } = await control(call, input);
    return `${status} ${body.error}`;
  };
  expect(await errorOf("jobs/start", { kind: "song" })).toMatch(/^400 kind: /);
  expect(await errorOf("jobs/move", { name: "batches/none", state: "failed" })).toBe(
    "400 name: there is no job batches/none",
  );
  expect(await errorOf("clock/advance", { ms: -1 })).toMatch(/^400 ms: /);
  expect(await errorOf("webhooks/setState", { id: "none", state: "enabled" })).toBe("400 id: there is no webhook none");
  expect(await errorOf("clock/get", "{")).toBe("400 the body is not JSON");
  const { status, body } = await control("help");
  expect(status).toBe(404);
  expect(body.calls).toContain("POST /simulator/jobs/start");
});
