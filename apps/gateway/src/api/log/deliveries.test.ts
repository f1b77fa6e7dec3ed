import { createServer } from "node:http";

import { getRequestListener } from "@hono/node-server";
import { closeServer, listen } from "@sluice/shared/runtime/http-server";
import { formatId, newId } from "@sluice/shared/domain/ids";
import { generateSigningSecret } from "@sluice/signature/secret";
import { insertTarget, TARGET_DEFAULTS, type TargetSettings } from "@sluice/store/configuration/targets";
import { removeTarget } from "@sluice/store/delivery/deleted-targets";
import { describe, expect } from "vitest";

import { sendRaw } from "../../../../../tests/support/raw-request.ts";
import { until } from "../../../../../tests/support/wait.ts";
import { createApi } from "../api.ts";
import {
  ADMIN_KEY,
  type Answer,
  pointersOf,
  recordAttempt,
  seedEvent,
  test,
  type TestApi,
  WORKER_ID,
} from "../../../../../tests/support/api/test-api.ts";

function storeTarget(api: TestApi, changes: Partial<TargetSettings> = {}): Promise<string> {
  const settings = { ...TARGET_DEFAULTS, name: "t", uri: "http://a.example/", subscribedEvents: ["*"], ...changes };
  return insertTarget(api.db, api.masterKey, settings, generateSigningSecret());
}

/** A target with one delivery in the hands of a worker. */
async function seed(api: TestApi, settings: Partial<TargetSettings> = {}) {
  const targetId = await storeTarget(api, settings);
  const { eventId, webhookId, deliveryIds } = await seedEvent(api, [targetId]);
  const id = deliveryIds[0] ?? "";
  return { targetId, eventId, webhookId, id, path: `/v1/deliveries/${formatId("dlv", id)}` };
}

const list = (api: TestApi, query: string) => api.call("GET", `/v1/deliveries${query}`);

const idsOf = ({ body }: Answer) => body.data.map(({ id }: { id: string }) => id) as string[];

/** A filter by target. */
const target = (id: string) => `target=${formatId("tgt", id)}`;

const ids = (...uuids: string[]) => new Set(uuids.map((id) => formatId("dlv", id)));

const secondsFromNow = (text: string) => (Date.parse(text) - Date.now()) / 1000;

describe("a delivery", () => {
  test("while a worker has it in hand, it is in flight and has no next time", async ({ api }) => {
    const { path, id, eventId, targetId, webhookId } = await seed(api);
    const answer = await api.call("GET", path);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      id: formatId("dlv", id),
      event: formatId("evt", eventId),
      event_type: "batch.succeeded",
      webhook_id: webhookId,
      source: formatId("src", api.geminiId),
      target: formatId("tgt", targetId),
      status: "pending",
      in_flight: true,
      worker: WORKER_ID,
      attempt_count: 0,
      next_attempt_at: null,
      deadline_at: expect.stringMatching(/Z$/),
      last_status_code: null,
      last_error: null,
      created_at: expect.stringMatching(/Z$/),
      finished_at: null,
      attempts: [],
    });
  });

  test("after a failed attempt it shows when the next one is, and every attempt, oldest first", async ({ api }) => {
    const { path, id, targetId } = await seed(api);
    const startedAtMs = Date.now();
    await recordAttempt(api, id, { status: "pending", retryInMs: 60_000 }, { startedAtMs });
    await recordAttempt(
      api,
      id,
      { status: "succeeded" },
      { number: 2, trigger: "retry", statusCode: 204, responseExcerpt: null },
    );
    const { body } = await api.call("GET", path);
    expect(body).toMatchObject({
      status: "succeeded",
      in_flight: false,
      attempt_count: 2,
      next_attempt_at: null,
      last_status_code: 204,
      last_error: null,
      finished_at: expect.stringMatching(/Z$/),
    });
    expect(body.attempts).toEqual([
      {
        id: expect.stringMatching(/^att_/),
        delivery: body.id,
        target: formatId("tgt", targetId),
        source: formatId("src", api.geminiId),
        event_type: "batch.succeeded",
        number: 1,
        trigger: "initial",
        started_at: new Date(startedAtMs).toISOString(),
        duration_ms: 12.5,
        status_code: 500,
        error: null,
        response_excerpt: "oops",
      },
      expect.objectContaining({ number: 2, trigger: "retry", status_code: 204, response_excerpt: null }),
    ]);
  });

  test("one that waits shows its next time; one whose lease ran out is due and not in flight", async ({ api }) => {
    const { path, id } = await seed(api);
    await recordAttempt(api, id, { status: "pending", retryInMs: 60_000 }, { statusCode: null, error: "ECONNREFUSED" });
    const waiting = (await api.call("GET", path)).body;
    expect(waiting).toMatchObject({ in_flight: false, last_status_code: null, last_error: "ECONNREFUSED" });
    expect(secondsFromNow(waiting.next_attempt_at)).toBeGreaterThan(30);
    const stale = "UPDATE deliveries SET leased_by = $2, next_attempt_at = now() - interval '1 s' WHERE id = $1";
    await api.db.pool.query(stale, [id, newId()]);
    const expired = (await api.call("GET", path)).body;
    expect(expired).toMatchObject({ in_flight: false, status: "pending" });
    expect(secondsFromNow(expired.next_attempt_at)).toBeLessThan(0);
  });

  test("an id of no delivery is a 404", async ({ api }) => {
    const path = `/v1/deliveries/${formatId("dlv", newId())}`;
    expect((await api.call("GET", path)).body).toMatchObject({ status: 404, code: "not_found" });
    expect((await api.call("POST", `${path}:retry`)).body).toMatchObject({ status: 404, code: "not_found" });
  });
});

describe("the list of deliveries", () => {
  test("each filter leaves what it names, and they combine", async ({ api }) => {
    const [a, b] = [await storeTarget(api), await storeTarget(api)];
    const first = await seedEvent(api, [a, b], { type: "list.one" });
    const second = await seedEvent(api, [a], { type: "list.two" });
    const [firstA = "", firstB = ""] = first.deliveryIds;
    const [secondA = ""] = second.deliveryIds;
    await recordAttempt(api, firstA, { status: "succeeded" }, { statusCode: 200 });
    await recordAttempt(api, firstB, { status: "exhausted" });
    const found = async (query: string) => new Set(idsOf(await list(api, `?${query}`)));
    expect(await found("event_type=list.*")).toEqual(ids(firstA, firstB, secondA));
    expect(await found("event_type=list.two")).toEqual(ids(secondA));
    expect(await found(target(a))).toEqual(ids(firstA, secondA));
    expect(await found(`${target(a)}&status=succeeded`)).toEqual(ids(firstA));
    expect(await found(`${target(b)}&status=exhausted`)).toEqual(ids(firstB));
    expect(await found(`${target(a)}&status=pending`)).toEqual(ids(secondA));
    expect(await found(`event=${formatId("evt", first.eventId)}`)).toEqual(ids(firstA, firstB));
    expect(await found(`webhook_id=${second.webhookId}`)).toEqual(ids(secondA));
    expect(await found(`webhook_id=${second.webhookId}&event=${formatId("evt", first.eventId)}`)).toEqual(ids());
    expect(await found(`webhook_id=none`)).toEqual(ids());
    expect(await found(`source=gemini&${target(b)}`)).toEqual(ids(firstB));
    expect(await found(`source=${formatId("src", newId())}&${target(b)}`)).toEqual(ids());
    expect(await found(`${target(a)}&since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z`)).toEqual(ids());
    expect((await list(api, `?${target(a)}&limit=1`)).body.data[0]).not.toHaveProperty("attempts");
  });

  test("pages hold every delivery once, newest first", async ({ api }) => {
    const targetId = await storeTarget(api);
    for (let i = 0; i < 5; i++) await seedEvent(api, [targetId]);
    const walked: string[] = [];
    let cursor = "";
    do {
      const page = await list(api, `?target=${formatId("tgt", targetId)}&limit=2${cursor}`);
      walked.push(...idsOf(page));
      cursor = page.body.next_cursor === null ? "" : `&cursor=${page.body.next_cursor}`;
    } while (cursor !== "");
    expect(walked).toHaveLength(5);
    expect(walked).toEqual([...new Set(walked)].toSorted().toReversed());
  });

  test.for([
    ["status=done", "?status", 'has "done"; the statuses are pending, '],
    ["status=", "?status", 'has ""; the statuses are pending, '],
    ["target=billing", "?target", "must look like tgt_"],
    ["target=", "?target", "must look like tgt_"],
    ["event=evt_1", "?event", "must look like evt_"],
    ["event=", "?event", "must look like evt_"],
    ["source=nobody", "?source", "must be the name or the id of a source"],
    ["event_type=%00", "?event_type", "must not contain a NUL"],
    ["type=batch.*", "?type", "is not a parameter of this path"],
    ["since=x", "?since", "must be a time of RFC 3339"],
  ] as const)("%s is refused at %s", async ([query, pointer, detail], { api }) => {
    const answer = await list(api, `?${query}`);
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
    expect(answer.body.errors[0].detail).toContain(detail);
  });
});

describe("retrying a delivery", () => {
  test.for(["exhausted", "succeeded"] as const)(
    "one that is %s is due now, with a new deadline, and woken",
    async (status, { api }) => {
      const { path, id, targetId } = await seed(api, { retryHorizonSeconds: 7_200 });
      await recordAttempt(api, id, { status });
      const answer = await api.call("POST", `${path}:retry`);
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ status: "pending", in_flight: false, finished_at: null, attempt_count: 1 });
      expect(Math.abs(secondsFromNow(answer.body.next_attempt_at))).toBeLessThan(30);
      expect(Math.abs(secondsFromNow(answer.body.deadline_at) - 7_200)).toBeLessThan(30);
      expect(api.woken).toContain(targetId);
    },
  );

  test("one that waits for its next time is due now", async ({ api }) => {
    const { path, id } = await seed(api);
    await recordAttempt(api, id, { status: "pending", retryInMs: 600_000 });
    const { body } = await api.call("POST", `${path}:retry`, { body: {} });
    expect(secondsFromNow(body.next_attempt_at)).toBeLessThan(30);
  });

  test("one that a worker has in hand is left alone", async ({ api }) => {
    const { path, targetId } = await seed(api);
    const answer = await api.call("POST", `${path}:retry`);
    expect(answer.body).toMatchObject({ status: 409, code: "delivery_in_flight" });
    expect((await api.call("GET", path)).body.in_flight).toBe(true);
    expect(api.woken).not.toContain(targetId);
  });

  test("one whose target was deleted is a 409 of its own, and stays cancelled", async ({ api }) => {
    const { path, targetId } = await seed(api);
    await removeTarget(api.db, targetId);
    expect((await api.call("POST", `${path}:retry`)).body).toMatchObject({ status: 409, code: "target_gone" });
    expect((await api.call("GET", path)).body.status).toBe("cancelled");
  });

  test("a retry waits for a delete of its target that is under way, and leaves nothing pending", async ({ api }) => {
    const { path, id, targetId } = await seed(api);
    await recordAttempt(api, id, { status: "exhausted" });
    const client = await api.db.pool.connect();
    await client.query("BEGIN");
    await client.query("DELETE FROM targets WHERE id = $1", [targetId]);
    let settled = false;
    const retry = api.call("POST", `${path}:retry`).finally(() => (settled = true));
    const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    await until(async () => settled || (await api.db.pool.query(waiting)).rowCount === 1);
    await client.query("COMMIT");
    client.release();
    expect((await retry).body).toMatchObject({ status: 409, code: "target_gone" });
    expect((await api.call("GET", path)).body.status).toBe("exhausted");
  });

  test.for(["paused", "disabled"] as const)(
    "one for a target that is %s becomes pending and waits",
    async (state, { api }) => {
      const { path, id } = await seed(api, { state });
      await recordAttempt(api, id, { status: "exhausted" });
      const answer = await api.call("POST", `${path}:retry`);
      expect(answer.body).toMatchObject({ status: "pending", in_flight: false });
    },
  );

  test("its body may be left out, also with a content type, and may hold no field", async ({ api }) => {
    const { path, id } = await seed(api);
    await recordAttempt(api, id, { status: "exhausted" });
    const json = { "content-type": "application/json" };
    expect((await api.call("POST", `${path}:retry`, { headers: json })).status).toBe(200);
    expect((await api.call("POST", `${path}:retry`, { headers: { ...json, "content-length": "0" } })).status).toBe(200);
    expect(pointersOf(await api.call("POST", `${path}:retry`, { body: { force: true } }))).toEqual(["/force"]);
    expect(pointersOf(await api.call("POST", `${path}:retry?force=1`))).toEqual(["?force"]);
  });

  test("over HTTP, `curl -X POST` with a content type and nothing else is taken", async ({ api }) => {
    const { path, id } = await seed(api);
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

describe("cancel by hand", () => {
  test("one that waits gets no more attempts, and can be retried", async ({ api }) => {
    const { path, id } = await seed(api);
    await recordAttempt(api, id, { status: "pending", retryInMs: 600_000 });
    const answer = await api.call("POST", `${path}:cancel`);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ status: "cancelled", next_attempt_at: null, finished_at: expect.any(String) });
    expect((await api.call("POST", `${path}:cancel`)).body).toMatchObject({ status: 409, code: "delivery_finished" });
    expect((await api.call("POST", `${path}:retry`)).body.status).toBe("pending");
  });

  test("one that a worker has in hand is left alone, and one that is finished stays so", async ({ api }) => {
    const { path, id } = await seed(api);
    expect((await api.call("POST", `${path}:cancel`)).body).toMatchObject({ status: 409, code: "delivery_in_flight" });
    await recordAttempt(api, id, { status: "succeeded" });
    expect((await api.call("POST", `${path}:cancel`)).body).toMatchObject({ status: 409, code: "delivery_finished" });
    expect((await api.call("GET", path)).body.status).toBe("succeeded");
  });

  test("a cancel waits for a claim that is under way, and leaves the delivery to it", async ({ api }) => {
    const { path, id, targetId } = await seed(api);
    await recordAttempt(api, id, { status: "pending", retryInMs: 0 });
    const client = await api.db.pool.connect();
    await client.query("BEGIN");
    await client.query(
      "UPDATE deliveries SET leased_by = $2, next_attempt_at = now() + interval '45 s' WHERE id = $1",
      [id, targetId],
    );
    let settled = false;
    const cancel = api.call("POST", `${path}:cancel`).finally(() => (settled = true));
    const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    await until(async () => settled || (await api.db.pool.query(waiting)).rowCount === 1);
    await client.query("COMMIT");
    client.release();
    expect((await cancel).body).toMatchObject({ status: 409, code: "delivery_in_flight" });
  });

  test("what a worker that was taken for dead records afterwards does not bring it back", async ({ api }) => {
    const { path, id } = await seed(api);
    await api.db.pool.query("UPDATE deliveries SET next_attempt_at = now() - interval '1 s' WHERE id = $1", [id]);
    expect((await api.call("POST", `${path}:cancel`)).status).toBe(200);
    await recordAttempt(api, id, { status: "pending", retryInMs: 0 });
    const { body } = await api.call("GET", path);
    expect(body).toMatchObject({ status: "cancelled", next_attempt_at: null });
    expect(body.attempts).toHaveLength(1);
  });
});
