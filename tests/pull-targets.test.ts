// Pull targets on a whole relay, over real HTTP: events wait to be pulled, wake who waits, and are lost by nobody's death.

import { request } from "node:http";

import { Webhook } from "standardwebhooks";
import { expect, onTestFinished } from "vitest";

import { parseId } from "@sluice/shared/domain/ids";

import { type Relay, test } from "./support/relay.ts";
import { geminiEvent } from "./support/sign.ts";
import { until } from "./support/wait.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
type Json = any;

const WAIT = { wait_seconds: 25, max: 100 };
const WAKES_WITHIN_MS = 100;

async function createPull(relay: Relay, changes: object = {}): Promise<Json> {
  const target = await relay.call("POST", "/v1/targets", {
    kind: "pull",
    subscribed_events: ["*"],
    retry: { base_seconds: 0.1, cap_seconds: 0.2, horizon_seconds: 60 },
    ...changes,
  });
  onTestFinished(async () => void (await relay.call("DELETE", `/v1/targets/${target.id}`)));
  return target;
}

const post = async (relay: Relay, url: string, { id }: Json, verb: string, body: object): Promise<Json> => {
  const headers = { authorization: `Bearer ${relay.apiKey}`, "content-type": "application/json" };
  const answer = await fetch(`${url}/v1/targets/${id}:${verb}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
  return answer.json();
};
const pull = async (relay: Relay, target: Json, body: object = WAIT, url = relay.apiUrl): Promise<Json[]> =>
  (await post(relay, url, target, "pull", body)).deliveries;
const ack = (relay: Relay, target: Json, deliveries: Json[], result: object = { status_code: 200 }) =>
  relay.call("POST", `/v1/targets/${target.id}:ack`, {
    results: deliveries.map(({ token }) => ({ token, duration_ms: 1, ...result })),
  });

/** Waits until so many pulls wait on the gateway. */
const waitForWaits = (relay: Relay, count: number) =>
  until(async () => Number(/^sluice_pull_waits (\d+)/m.exec(await relay.readMetrics())?.[1]), {
    accept: (waits) => waits === count,
    what: `${count} pulls that wait`,
  });

const idsOf = (deliveries: Json[]): string[] => deliveries.map(({ headers }) => headers["webhook-id"]);

/** When the delivery of an event was stored, by the clock of PostgreSQL, which is this machine's. */
async function storedAtMs(relay: Relay, { delivery_id: id }: Json): Promise<number> {
  const { rows } = await relay.database.db.pool.query<{ ms: string }>(
    "SELECT extract(epoch FROM created_at) * 1000 AS ms FROM deliveries WHERE id = $1",
    [parseId("dlv", id, "id")],
  );
  return Number(rows[0]?.ms);
}

test("a pull that waits on any gateway wakes within 100 ms of its event, and a foreign library verifies it", async ({
  relay,
}) => {
  const other = await relay.startGateway();
  onTestFinished(() => other.stop());
  const target = await createPull(relay);
  for (const url of [relay.apiUrl, other.apiUrl]) {
    const latencies: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const waiting = pull(relay, target, WAIT, url);
      const signed = await relay.sendEvent({ body: geminiEvent("batch.succeeded", { id: "é😀" }) });
      const [delivery] = await waiting;
      latencies.push(Date.now() - (await storedAtMs(relay, delivery)));
      const body = Buffer.from(delivery.body, "base64");
      expect(body).toEqual(Buffer.from(signed.body));
      new Webhook(target.new_signing_secret).verify(body.toString(), delivery.headers);
      expect(delivery.headers).toMatchObject({ "webhook-id": signed.webhookId, "sluice-attempt": "1" });
      await ack(relay, target, [delivery]);
    }
    // A machine that is busy with other tests delays most of them, and not each.
    expect(Math.min(...latencies)).toBeLessThan(WAKES_WITHIN_MS);
  }
  const text = await relay.readMetrics();
  expect(text).toContain(`sluice_delivery_attempts_total{target="${target.name}",outcome="success",reason="ok"} 10`);
});

test("two pullers never get the same delivery, and together get each", async ({ relay }) => {
  const target = await createPull(relay);
  const got: string[] = [];
  const done = new AbortController();
  const pullers = [1, 2, 3].map(async () => {
    while (!done.signal.aborted) {
      const deliveries = await pull(relay, target, { wait_seconds: 1, max: 7 });
      got.push(...idsOf(deliveries));
      if (deliveries.length > 0) await ack(relay, target, deliveries);
    }
  });
  const sent = await Promise.all(Array.from({ length: 100 }, () => relay.sendEvent()));
  await until(() => got.length >= sent.length, { what: "100 events" });
  done.abort();
  await Promise.all(pullers);
  expect(got.toSorted()).toEqual(sent.map(({ webhookId }) => webhookId).toSorted());
});

test("a client that goes away while it waits claims nothing, and the next gets the event", async ({ relay }) => {
  const target = await createPull(relay);
  const { hostname, port } = new URL(relay.apiUrl);
  const headers = { authorization: `Bearer ${relay.apiKey}`, "content-type": "application/json" };
  const dying = request({ hostname, port, method: "POST", path: `/v1/targets/${target.id}:pull`, headers });
  dying.on("error", () => undefined);
  dying.end(JSON.stringify(WAIT));
  await waitForWaits(relay, 1);
  dying.destroy();
  await waitForWaits(relay, 0);
  const { webhookId } = await relay.sendEvent();
  const deliveries = await until(() => pull(relay, target, {}), { accept: (all) => all.length > 0 });
  expect(idsOf(deliveries)).toEqual([webhookId]);
});

test("a pull whose answer cannot be written is given back at once", async ({ relay }) => {
  const target = await createPull(relay);
  // More than the buffers of a connection hold, so that the answer is not written while nobody reads.
  const body = geminiEvent("batch.succeeded", { id: "x".repeat(900_000) });
  for (let count = 0; count < 4; count++) await relay.sendEvent({ body });
  const { pool } = relay.database.db;
  const countHeld = async () => {
    const { rows } = await pool.query(
      "SELECT count(*)::int AS count FROM deliveries WHERE target_id = $1 AND leased_by IS NOT NULL",
      [parseId("tgt", target.id, "id")],
    );
    return rows[0].count;
  };
  const countDue = async () => (await relay.call("GET", `/v1/deliveries?target=${target.id}`)).data.length;
  await until(countDue, { accept: (count) => count === 4 });
  const { hostname, port } = new URL(relay.apiUrl);
  const headers = { authorization: `Bearer ${relay.apiKey}`, "content-type": "application/json" };
  const dying = request({ hostname, port, method: "POST", path: `/v1/targets/${target.id}:pull`, headers });
  dying.on("error", () => undefined);
  dying.on("response", (response) => response.pause());
  dying.end(JSON.stringify({ max: 100 }));
  await until(countHeld, { accept: (count) => count === 4 });
  dying.destroy();
  await until(countHeld, { accept: (count) => count === 0, what: "no delivery that somebody holds" });
  expect(await pull(relay, target, { max: 100 })).toHaveLength(4);
});

test("a failed attempt is due again and wakes who waits; at the deadline it is exhausted, and a bulk retry revives it", async ({
  relay,
}) => {
  const target = await createPull(relay, { retry: { base_seconds: 0.1, cap_seconds: 0.1, horizon_seconds: 1 } });
  const { webhookId } = await relay.sendEvent();
  const statuses: string[] = [];
  while (!statuses.includes("exhausted")) {
    const deliveries = await pull(relay, target);
    expect(idsOf(deliveries)).toEqual([webhookId]);
    expect(deliveries[0].attempt).toBe(statuses.length + 1);
    const { results } = await ack(relay, target, deliveries, { status_code: 500 });
    statuses.push(results[0].status);
  }
  expect(statuses.length).toBeGreaterThan(2);
  const [delivery] = (await relay.call("GET", `/v1/deliveries?target=${target.id}`)).data;
  expect(delivery).toMatchObject({ status: "exhausted", attempt_count: statuses.length, last_status_code: 500 });

  const waiting = pull(relay, target);
  await relay.call("POST", "/v1/deliveries:retry", { target: target.id, status: ["exhausted"] });
  const [retried] = await waiting;
  expect(retried).toMatchObject({ trigger: "manual", attempt: statuses.length + 1 });
  await ack(relay, target, [retried]);
  expect(await relay.call("GET", `/v1/deliveries/${delivery.id}`)).toMatchObject({ status: "succeeded" });
});

test("a filter and a subscription choose, and a replay makes deliveries that wake who waits", async ({ relay }) => {
  const before = await relay.sendEvent({ body: geminiEvent("batch.failed") });
  const { data } = await until(() => relay.call("GET", `/v1/events?webhook_id=${before.webhookId}`), {
    accept: (page) => page.data.length === 1,
  });
  const target = await createPull(relay, { subscribed_events: ["batch.*"], filter: 'event.type != "batch.succeeded"' });
  await relay.sendEvent({ body: geminiEvent("batch.succeeded") });
  await relay.sendEvent({ body: geminiEvent("video.generated") });
  const wanted = await relay.sendEvent({ body: geminiEvent("batch.expired") });
  expect(idsOf(await pull(relay, target))).toEqual([wanted.webhookId]);
  const waiting = pull(relay, target);
  await relay.call("POST", `/v1/events/${data[0].id}:replay`, { targets: [target.id] });
  expect(idsOf(await waiting)).toEqual([before.webhookId]);
});

test("what waits is counted, workers send none of it, and it outlasts a restart of the worker", async ({ relay }) => {
  const target = await createPull(relay, { state: "paused" });
  const sent = [await relay.sendEvent(), await relay.sendEvent(), await relay.sendEvent()];
  await until(() => relay.readMetrics(), {
    accept: (text) => text.includes(`sluice_deliveries_waiting{target="${target.name}"} 3`),
    what: "three deliveries that wait",
  });
  expect(await pull(relay, target, { wait_seconds: 0 })).toEqual([]);
  const worker = await relay.startWorker();
  await worker.stop();
  const waiting = pull(relay, target);
  await relay.call("POST", `/v1/targets/${target.id}:resume`);
  expect(idsOf(await waiting).toSorted()).toEqual(sent.map(({ webhookId }) => webhookId).toSorted());
  expect((await relay.call("GET", `/v1/attempts?target=${target.id}`)).data).toEqual([]);
});

test("a gateway that stops ends the waits at once, with an empty answer", async ({ relay }) => {
  const other = await relay.startGateway();
  const target = await createPull(relay);
  const waiting = pull(relay, target, WAIT, other.apiUrl);
  const readWaits = async () => {
    const headers = { authorization: `Bearer ${relay.apiKey}` };
    return (await fetch(`${other.apiUrl}/metrics`, { headers })).text();
  };
  await until(readWaits, { accept: (text) => /^sluice_pull_waits 1$/m.test(text) });
  const stopped = other.stop();
  expect(await waiting).toEqual([]);
  await stopped;
});

test("more pulls wait than the gateway has connections to PostgreSQL, and the API answers meanwhile", async ({
  relay,
}) => {
  const target = await createPull(relay);
  // More than the connections that the gateway has to PostgreSQL.
  const waiting = Array.from({ length: 60 }, () => pull(relay, target, { wait_seconds: 25, max: 1 }));
  await waitForWaits(relay, 60);
  const [first] = (await relay.call("GET", "/v1/targets?limit=1")).data;
  expect(first.id).toBe(target.id);
  await Promise.all(waiting.map(() => relay.sendEvent()));
  const got = (await Promise.all(waiting)).flatMap(idsOf);
  expect(new Set(got).size).toBe(60);
});
