// POST /v1/deliveries/{id}:retry and :cancel: what each does to a delivery in every state, and beside other
// transactions.

import { createServer } from "node:http";

import { getRequestListener } from "@hono/node-server";
import { describe, expect } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { closeServer, listen } from "@sluice/shared/runtime/http-server";
import { removeTarget } from "@sluice/store/delivery/deleted-targets";

import { ADMIN_KEY, pointersOf, recordAttempt, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { sendRaw } from "../../../../../tests/support/raw-request.ts";
import { seedLeasedDelivery } from "../../../../../tests/support/seed-leased-delivery.ts";
import { until } from "../../../../../tests/support/wait.ts";
import { createApi } from "../api.ts";

const secondsFromNow = (text: string) => (Date.parse(text) - Date.now()) / 1000;

/** Resolves when a statement of this database waits for a lock, or when the call has ended without waiting. */
async function waitUntilBlocked(api: TestApi, call: Promise<unknown>): Promise<void> {
  let hasEnded = false;
  const noteEnd = () => {
    hasEnded = true;
  };
  void call.then(noteEnd, noteEnd);
  const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  await until(async () => hasEnded || (await api.db.pool.query(waiting)).rowCount === 1);
}

describe("POST /v1/deliveries/{id}:retry", () => {
  test.for(["exhausted", "succeeded"] as const)(
    "makes a delivery that is %s due now, with a new deadline, and wakes its target",
    async (status, { api }) => {
      const { path, id, targetId } = await seedLeasedDelivery(api, { retryHorizonSeconds: 7_200 });
      await recordAttempt(api, id, { status });
      const answer = await api.call("POST", `${path}:retry`);
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ status: "pending", in_flight: false, finished_at: null, attempt_count: 1 });
      expect(Math.abs(secondsFromNow(answer.body.next_attempt_at))).toBeLessThan(30);
      expect(Math.abs(secondsFromNow(answer.body.deadline_at) - 7_200)).toBeLessThan(30);
      expect(api.woken).toContain(targetId);
    },
  );

  test("makes a delivery that waits for its next attempt due now", async ({ api }) => {
    const { path, id } = await seedLeasedDelivery(api);
    await recordAttempt(api, id, { status: "pending", retryInMs: 600_000 });
    const { body } = await api.call("POST", `${path}:retry`, { body: {} });
    expect(secondsFromNow(body.next_attempt_at)).toBeLessThan(30);
  });

  test("answers 404 for the id of no delivery", async ({ api }) => {
    const path = `/v1/deliveries/${formatId("dlv", newId())}`;
    expect((await api.call("POST", `${path}:retry`)).body).toMatchObject({ status: 404, code: "not_found" });
  });

  test("refuses a delivery that a worker holds, and leaves it in flight", async ({ api }) => {
    const { path, targetId } = await seedLeasedDelivery(api);
    const answer = await api.call("POST", `${path}:retry`);
    expect(answer.body).toMatchObject({ status: 409, code: "delivery_in_flight" });
    expect((await api.call("GET", path)).body.in_flight).toBe(true);
    expect(api.woken).not.toContain(targetId);
  });

  test("refuses a delivery whose target was deleted with target_gone, and leaves it cancelled", async ({ api }) => {
    const { path, targetId } = await seedLeasedDelivery(api);
    await removeTarget(api.db, targetId);
    expect((await api.call("POST", `${path}:retry`)).body).toMatchObject({ status: 409, code: "target_gone" });
    expect((await api.call("GET", path)).body.status).toBe("cancelled");
  });

  test("waits for a running delete of the target, and then leaves nothing pending", async ({ api }) => {
    const { path, id, targetId } = await seedLeasedDelivery(api);
    await recordAttempt(api, id, { status: "exhausted" });
    const client = await api.db.pool.connect();
    await client.query("BEGIN");
    await client.query("DELETE FROM targets WHERE id = $1", [targetId]);
    const retry = api.call("POST", `${path}:retry`);
    await waitUntilBlocked(api, retry);
    await client.query("COMMIT");
    client.release();
    expect((await retry).body).toMatchObject({ status: 409, code: "target_gone" });
    expect((await api.call("GET", path)).body.status).toBe("exhausted");
  });

  test.for(["paused", "disabled"] as const)(
    "makes a delivery to a target that is %s pending, and does not send it",
    async (state, { api }) => {
      const { path, id } = await seedLeasedDelivery(api, { state });
      await recordAttempt(api, id, { status: "exhausted" });
      const answer = await api.call("POST", `${path}:retry`);
      expect(answer.body).toMatchObject({ status: "pending", in_flight: false });
    },
  );

  test("takes no body, with or without a content type, and refuses a field", async ({ api }) => {
    const { path, id } = await seedLeasedDelivery(api);
    await recordAttempt(api, id, { status: "exhausted" });
    const json = { "content-type": "application/json" };
    expect((await api.call("POST", `${path}:retry`, { headers: json })).status).toBe(200);
    expect((await api.call("POST", `${path}:retry`, { headers: { ...json, "content-length": "0" } })).status).toBe(200);
    expect(pointersOf(await api.call("POST", `${path}:retry`, { body: { force: true } }))).toEqual(["/force"]);
    expect(pointersOf(await api.call("POST", `${path}:retry?force=1`))).toEqual(["?force"]);
  });

  test("takes an HTTP request with a content type and no body, as `curl -X POST` sends it", async ({ api }) => {
    const { path, id } = await seedLeasedDelivery(api);
    await recordAttempt(api, id, { status: "exhausted" });
    const listener = getRequestListener(createApi(api).fetch);
    const server = createServer((request, response) => void listener(request, response));
    const url = await listen(server, { host: "127.0.0.1", port: 0 }, "PORT");
    const headers = { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" };
    const send = (framing: Record<string, string>, chunks: string[]) =>
      sendRaw(url, { path: `${path}:retry`, headers: { ...headers, ...framing }, chunks });
    try {
      expect(await send({}, [])).toMatchObject({ status: 200 });
      expect(await send({ "content-length": "0" }, [])).toMatchObject({ status: 200 });
      const field = ['{"force":true}'];
      expect(await send({ "content-length": "14" }, field)).toMatchObject({ status: 400 });
      expect(await send({ "transfer-encoding": "chunked" }, [`e\r\n${field[0]}\r\n0\r\n\r\n`])).toMatchObject({
        status: 400,
      });
    } finally {
      await closeServer(server, 1_000);
    }
  });
});

describe("POST /v1/deliveries/{id}:cancel", () => {
  test("ends the attempts of a waiting delivery, which can be retried afterwards", async ({ api }) => {
    const { path, id } = await seedLeasedDelivery(api);
    await recordAttempt(api, id, { status: "pending", retryInMs: 600_000 });
    const answer = await api.call("POST", `${path}:cancel`);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ status: "cancelled", next_attempt_at: null, finished_at: expect.any(String) });
    expect((await api.call("POST", `${path}:cancel`)).body).toMatchObject({ status: 409, code: "delivery_finished" });
    expect((await api.call("POST", `${path}:retry`)).body.status).toBe("pending");
  });

  test("refuses a delivery that a worker holds, and one that is finished", async ({ api }) => {
    const { path, id } = await seedLeasedDelivery(api);
    expect((await api.call("POST", `${path}:cancel`)).body).toMatchObject({ status: 409, code: "delivery_in_flight" });
    await recordAttempt(api, id, { status: "succeeded" });
    expect((await api.call("POST", `${path}:cancel`)).body).toMatchObject({ status: 409, code: "delivery_finished" });
    expect((await api.call("GET", path)).body.status).toBe("succeeded");
  });

  test("waits for a worker's running claim, and then leaves the delivery to that worker", async ({ api }) => {
    const { path, id, targetId } = await seedLeasedDelivery(api);
    await recordAttempt(api, id, { status: "pending", retryInMs: 0 });
    const client = await api.db.pool.connect();
    await client.query("BEGIN");
    await client.query(
      "UPDATE deliveries SET leased_by = $2, next_attempt_at = now() + interval '45 s' WHERE id = $1",
      [id, targetId],
    );
    const cancel = api.call("POST", `${path}:cancel`);
    await waitUntilBlocked(api, cancel);
    await client.query("COMMIT");
    client.release();
    expect((await cancel).body).toMatchObject({ status: 409, code: "delivery_in_flight" });
  });

  test("stays cancelled when a worker whose lease ran out records its attempt afterwards", async ({ api }) => {
    const { path, id } = await seedLeasedDelivery(api);
    await api.db.pool.query("UPDATE deliveries SET next_attempt_at = now() - interval '1 s' WHERE id = $1", [id]);
    expect((await api.call("POST", `${path}:cancel`)).status).toBe(200);
    await recordAttempt(api, id, { status: "pending", retryInMs: 0 });
    const { body } = await api.call("GET", path);
    expect(body).toMatchObject({ status: "cancelled", next_attempt_at: null });
    expect(body.attempts).toHaveLength(1);
  });
});
