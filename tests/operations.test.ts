// Bulk operations, which retry or cancel many deliveries, carried out by the worker of a whole relay.

import { expect } from "vitest";

import { test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

test("a bulk retry sends exhausted deliveries again, and shows its progress", async ({ relay, receiver }) => {
  // 422 is about the event alone, so it does not open the breaker.
  receiver.answerWith(() => ({ status: 422 }));
  const target = await relay.createTarget(receiver, {
    retry: { base_seconds: 0.5, cap_seconds: 0.5, horizon_seconds: 1 },
  });
  const sent = await Promise.all(Array.from({ length: 12 }, () => relay.sendEvent()));
  const list = async (status: string) =>
    (await relay.call("GET", `/v1/deliveries?target=${target.id}&status=${status}`)).data;
  await until(() => list("exhausted"), { accept: (found) => found.length === sent.length });
  const failures = receiver.requests.length;

  receiver.answerWith(() => ({ status: 204 }));
  expect(await relay.call("POST", "/v1/deliveries:retry", { target: target.id, dry_run: true })).toMatchObject({
    total: sent.length,
    complete: true,
  });
  const started = await relay.call("POST", "/v1/deliveries:retry", { target: target.id });
  const ended = await until(() => relay.call("GET", `/v1/operations/${started.id}`), {
    accept: ({ state }) => state !== "running",
  });
  expect(ended).toMatchObject({ state: "succeeded", total: sent.length, done: sent.length, failed: 0 });
  await until(() => list("succeeded"), { accept: (found) => found.length === sent.length });
  const again = receiver.requests.slice(failures).map(({ headers }) => headers["webhook-id"]);
  expect(again).toHaveLength(sent.length);
  expect(new Set(again)).toEqual(new Set(sent.map(({ webhookId }) => webhookId)));
});

test("a bulk cancel cancels the deliveries that are held for a paused target", async ({ relay, receiver }) => {
  const target = await relay.createTarget(receiver, { state: "paused" });
  await relay.sendEvent();
  const list = async (status: string) =>
    (await relay.call("GET", `/v1/deliveries?target=${target.id}&status=${status}`)).data;
  await until(() => list("pending"), { accept: (found) => found.length === 1 });
  await relay.call("POST", "/v1/deliveries:cancel", { target: target.id });
  await until(() => list("cancelled"), { accept: (found) => found.length === 1 });
});
