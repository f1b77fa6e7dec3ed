// `sluice listen` on a real relay: events of the relay arrive at a service on this machine, signed and byte for byte, and the log
// shows each attempt.

import { Webhook } from "standardwebhooks";
import { expect, onTestFinished } from "vitest";

import { startReceiver } from "./support/receiver.ts";
import { type Relay, test } from "./support/relay.ts";
import { runSluice } from "./support/run-sluice.ts";
import { geminiEvent } from "./support/sign.ts";
import { until } from "./support/wait.ts";

const envOf = (relay: Relay) => ({ SLUICE_API: relay.apiUrl, SLUICE_API_KEY: relay.apiKey });

/** Listens until the test is over, or until `stop`. */
async function listen(relay: Relay, name: string, ...args: string[]) {
  const stopping = new AbortController();
  const running = runSluice(["listen", ...args, "--name", name], { env: envOf(relay), signal: stopping.signal });
  const stop = async () => {
    stopping.abort();
    const { code, out, err } = await running;
    const lines = out.toString().split("\n").filter(Boolean);
    return { code, lines: lines.map((line) => JSON.parse(line)), err };
  };
  onTestFinished(async () => void (await stop()));
  const target = await until(async () => (await relay.call("GET", `/v1/targets?name=${name}`)).data[0], {
    what: "the target of the listener",
  });
  return { target, stop, ended: running };
}

const deliveriesOf = async (relay: Relay, targetId: string) =>
  (await relay.call("GET", `/v1/deliveries?target=${targetId}`)).data as Record<string, unknown>[];

test("an event arrives with the bytes and headers of a delivery, and the log has its attempt", async ({
  relay,
  receiver,
}) => {
  const { target, stop } = await listen(relay, "exact", receiver.url);
  const body = geminiEvent("batch.succeeded", { id: "batch_\u00e9" });
  const { webhookId } = await relay.sendEvent({ body });
  const [request] = await receiver.waitFor(1);
  expect(request?.body).toEqual(Buffer.from(body));
  expect(request?.headers).toMatchObject({ "webhook-id": webhookId, "sluice-attempt": "1", "user-agent": "sluice" });
  await until(async () => (await deliveriesOf(relay, target.id))[0]?.["status"] === "succeeded", {
    what: "the report",
  });
  const { code, lines, err } = await stop();
  expect(code).toBe(0);
  expect(lines).toMatchObject([{ type: "batch.succeeded", attempt: 1, status_code: 200, error: null }]);
  const secret = /shown this once: (whsec_\S+)/.exec(err)?.[1] ?? "";
  expect(new Webhook(secret).verify(body, request?.headers as Record<string, string>)).toEqual(JSON.parse(body));
  const { data } = await relay.call("GET", `/v1/attempts?target=${target.id}`);
  expect(data).toMatchObject([{ status_code: 200, number: 1 }]);
});

test("a service that is away gets the event when it is back, and the log has each attempt", async ({ relay }) => {
  const service = await startReceiver();
  await service.stop();
  const { target } = await listen(relay, "away", service.url);
  await relay.call("PATCH", `/v1/targets/${target.id}`, { retry: { base_seconds: 0.05, cap_seconds: 0.05 } });
  await relay.sendEvent();
  const attempts = async () => (await relay.call("GET", `/v1/attempts?target=${target.id}`)).data;
  const failed = await until(attempts, { accept: (all) => all.length >= 2, what: "two failed attempts" });
  expect(failed.at(-1)).toMatchObject({ status_code: null, error: "connection: ECONNREFUSED" });
  const [pending] = await deliveriesOf(relay, target.id);
  expect(pending).toMatchObject({ status: "pending" });
});

test("only what matches comes, each to its own address", async ({ relay, receiver }) => {
  const video = await startReceiver();
  onTestFinished(() => video.stop());
  const args = ["--events", "batch.*", "--events", "video.generated", "--filter", 'event.data.id != "batch_no"'];
  await listen(relay, "chosen", receiver.url, "--map", `video.*=${video.url}`, ...args);
  await relay.sendEvent({ body: geminiEvent("interaction.completed") });
  await relay.sendEvent({ body: geminiEvent("batch.succeeded", { id: "batch_no" }) });
  await relay.sendEvent({ body: geminiEvent("video.generated", { id: "video_1" }) });
  await relay.sendEvent({ body: geminiEvent("batch.failed", { id: "batch_1" }) });
  const [[atVideo], [atCommon]] = await Promise.all([video.waitFor(1), receiver.waitFor(1)]);
  expect(JSON.parse(String(atVideo?.body))).toMatchObject({ type: "video.generated" });
  expect(JSON.parse(String(atCommon?.body))).toMatchObject({ type: "batch.failed" });
  expect([video.requests.length, receiver.requests.length]).toEqual([1, 1]);
});

test("what came before can be replayed, and printed without a service", async ({ relay }) => {
  const { webhookId } = await relay.sendEvent();
  const { stop, target } = await listen(relay, "printer", "--print", "--replay-since", "1h");
  const isThere = async () =>
    (await deliveriesOf(relay, target.id)).find((each) => each["webhook_id"] === webhookId)?.["status"] === "succeeded";
  await until(isThere, { what: "the event of before" });
  const { lines } = await stop();
  const line = lines.find(({ headers }) => headers["webhook-id"] === webhookId);
  expect(JSON.parse(Buffer.from(line.body, "base64").toString())).toMatchObject({ type: "batch.succeeded" });
});

test("with --on-failure hold a failure waits until somebody resends it", async ({ relay, receiver }) => {
  receiver.answerWith((_request, index) => ({ status: index === 0 ? 500 : 200 }));
  const { target } = await listen(relay, "holder", receiver.url, "--on-failure", "hold");
  await relay.sendEvent();
  await receiver.waitFor(1);
  const held = await until(async () => (await deliveriesOf(relay, target.id))[0], {
    accept: (delivery) => delivery?.["last_status_code"] === 500,
    what: "the failed attempt",
  });
  expect(Date.parse(String(held?.["next_attempt_at"])) - Date.now()).toBeGreaterThan(3_600_000);
  await relay.call("POST", `/v1/deliveries/${String(held?.["id"])}:retry`);
  await receiver.waitFor(2);
});

test("a second start finds the target again, with its settings changed", async ({ relay, receiver }) => {
  const first = await listen(relay, "again", receiver.url);
  await first.stop();
  await relay.call("PATCH", `/v1/targets/${first.target.id}`, { state: "paused" });
  const second = await listen(relay, "again", receiver.url, "--events", "video.*");
  expect(second.target.id).toBe(first.target.id);
  const changed = await until(() => relay.call("GET", `/v1/targets/${first.target.id}`), {
    accept: ({ state }) => state === "enabled",
    what: "the target to be enabled",
  });
  expect(changed).toMatchObject({ kind: "pull", subscribed_events: ["video.*"] });
  expect((await second.stop()).err).not.toContain("whsec_");
});

test("a listener ends when its target is deleted, or its name belongs to another kind", async ({ relay, receiver }) => {
  await relay.createTarget(receiver, { name: "of-http" });
  const taken = await runSluice(["listen", receiver.url, "--name", "of-http"], { env: envOf(relay) });
  expect(taken).toMatchObject({ code: 5, err: expect.stringContaining("choose another name") });
  const { target, ended } = await listen(relay, "deleted", receiver.url);
  await relay.call("DELETE", `/v1/targets/${target.id}`);
  expect(await ended).toMatchObject({ code: 5 });
  await relay.deleteTargets(receiver);
});

test.for([
  [[], "Give the address of the service"],
  [["3000", "--print"], "--print sends nothing"],
  [["not an address"], "This is no address of a service"],
  [["3000", "--map", "nothing"], "--map must be such as"],
  [["3000", "--concurrency", "0"], "must be a whole number from 1"],
  [["3000", "--timeout", "x"], "must be a whole number from 1"],
  [["3000", "--on-failure", "cry"], "Allowed choices are retry, hold"],
  [["3000", "--replay-since", "yesterday"], "Write a time such as"],
  [["3000", "--events", "ba tch"], "subscribed"],
  [["3000", "--filter", "nonsense("], "filter"],
] as const)("listen %j is a mistake that the message names", async ([args, message], { relay }) => {
  const { code, out, err } = await runSluice(["listen", ...args, "--name", "mistaken"], { env: envOf(relay) });
  expect({ code, out: out.toString() }).toEqual({ code: 2, out: "" });
  expect(err).toContain(message);
});

test("a second listener by the same name learns that it changes the events of the first", async ({ relay }) => {
  const first = await listen(relay, "shared", "--print", "--events", "batch.*");
  const isOf = (events: string[]) => async () => {
    const [target] = (await relay.call("GET", "/v1/targets?name=shared")).data;
    return JSON.stringify(target.subscribed_events) === JSON.stringify(events);
  };
  await until(isOf(["batch.*"]));
  const second = await listen(relay, "shared", "--print", "--events", "video.generated");
  await until(isOf(["video.generated"]));
  expect((await second.stop()).err).toContain("shared got other events before: batch.*. Whoever listens by this name");
  expect((await first.stop()).err).not.toContain("before");
});

test("a key for one target is enough to listen to what it gets", async ({ relay }) => {
  const body = { name: "confined", kind: "pull", subscribed_events: ["batch.*"] };
  const { id } = await relay.call("POST", "/v1/targets", body);
  const { key } = await relay.call("POST", "/v1/keys", { name: "confined", scopes: [`target:${id}`] });
  const stopping = new AbortController();
  onTestFinished(() => stopping.abort());
  const env = { ...envOf(relay), SLUICE_API_KEY: key };
  const running = runSluice(["listen", "--print", "--name", id], { env, signal: stopping.signal });
  await relay.sendEvent();
  await until(async () => (await deliveriesOf(relay, id)).some(({ status }) => status === "succeeded"));
  stopping.abort();
  const { code, out, err } = await running;
  expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining("sluice listen as confined") });
  expect(JSON.parse(out.toString().trimEnd())).toMatchObject({ type: "batch.succeeded", status_code: 200 });
});
