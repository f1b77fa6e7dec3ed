// POST /v1/deliveries:retry and :cancel, and /v1/operations: what a bulk request changes, refuses and shows.

import { describe, expect } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { makeNextStep, STEP_SIZE } from "@sluice/store/delivery/operation-step";

import {
  pointersOf,
  recordAttempt,
  seedEvent,
  storeKey,
  test,
  type TestApi,
} from "../../../../../tests/support/api/test-api.ts";
import { seedTarget } from "../../../../../tests/support/seed.ts";

/** A target with an exhausted, a succeeded and a waiting delivery. */
async function seed(api: TestApi) {
  const targetId = await seedTarget(api.db);
  const made = [];
  for (let n = 0; n < 3; n++) made.push((await seedEvent(api, [targetId], { type: `bulk.${n}` })).deliveryIds[0] ?? "");
  const [exhausted = "", succeeded = "", pending = ""] = made;
  await recordAttempt(api, exhausted, { status: "exhausted" }, { statusCode: 503 });
  await recordAttempt(api, succeeded, { status: "succeeded" }, { statusCode: 200 });
  await recordAttempt(api, pending, { status: "pending", retryInMs: 600_000 }, { statusCode: 429 });
  return { target: formatId("tgt", targetId) };
}

const post = (api: TestApi, verb: "retry" | "cancel", body: object) =>
  api.call("POST", `/v1/deliveries:${verb}`, { body });

async function statusesOf(api: TestApi, target: string): Promise<string[]> {
  const { body } = await api.call("GET", `/v1/deliveries?target=${target}&order=oldest`);
  return body.data.map(({ status }: { status: string }) => status);
}

/** Does what the workers do with the operations, until all of them have ended. */
async function runOperations(api: TestApi): Promise<void> {
  while ((await makeNextStep(api.db, STEP_SIZE)) !== undefined);
}

describe("POST /v1/deliveries:retry", () => {
  test("starts an operation that retries the exhausted deliveries and shows its outcome", async ({ api }) => {
    const { target } = await seed(api);
    const started = await post(api, "retry", { target, since: "2020-01-01T00:00:00Z" });
    expect(started.status).toBe(202);
    expect(started.headers.get("location")).toBe(`/v1/operations/${started.body.id}`);
    expect(started.body).toEqual({
      id: expect.stringMatching(/^opr_/),
      kind: "retry_deliveries",
      state: "running",
      filter: { status: ["exhausted"], target, since: "2020-01-01T00:00:00Z" },
      total: null,
      done: 0,
      failed: 0,
      replay: null,
      error: null,
      created_at: expect.stringMatching(/Z$/),
      created_by: { key: null, name: "ADMIN_API_KEY" },
      finished_at: null,
    });
    await runOperations(api);
    const ended = (await api.call("GET", `/v1/operations/${started.body.id}`)).body;
    expect(ended).toMatchObject({ state: "succeeded", total: 1, done: 1, failed: 0, finished_at: expect.any(String) });
    expect(await statusesOf(api, target)).toEqual(["pending", "succeeded", "pending"]);
  });

  test.for([
    [{ status: ["succeeded", "exhausted"] }, 2],
    [{ status: ["pending"] }, 1],
    [{ status_code: [503, "429"] }, 1],
    [{ status_code: ["2xx"], status: ["succeeded"] }, 1],
    [{ event_type: "bulk.1", status: ["succeeded"] }, 1],
    [{ event_type: "bulk.1" }, 0],
    [{ source: "gemini", min_attempts: 1 }, 1],
    [{ min_attempts: 2 }, 0],
    [{ until: "2020-01-01T00:00:00Z" }, 0],
    [{ label: "team:a" }, 0],
  ] as const)("with %j retries %i deliveries, and a dry run only counts them", async ([filter, total], { api }) => {
    const { target } = await seed(api);
    const counted = await post(api, "retry", { target, ...filter, dry_run: true });
    expect(counted.status).toBe(200);
    expect(counted.body).toMatchObject({ total, complete: true });
    const { by_status: byStatus } = counted.body;
    expect(byStatus.pending + byStatus.succeeded + byStatus.exhausted + byStatus.cancelled).toBe(total);
    expect(await statusesOf(api, target)).toEqual(["exhausted", "succeeded", "pending"]);
    expect((await api.call("GET", "/v1/operations?state=running")).body.data).toEqual([]);
    const { id } = (await post(api, "retry", { target, ...filter })).body;
    await runOperations(api);
    expect((await api.call("GET", `/v1/operations/${id}`)).body).toMatchObject({ total, done: total, failed: 0 });
  });

  test.for([
    [{}, [""]],
    [{ dry_run: true }, [""]],
    [{ all: false }, ["/all"]],
    [{ target: "billing" }, ["/target"]],
    [{ event: "evt_1" }, ["/event"]],
    [{ source: "nobody" }, ["/source"]],
    [{ status: "exhausted" }, ["/status"]],
    [{ status: [] }, ["/status"]],
    [{ status: ["done"] }, ["/status"]],
    [{ status: [{}] }, ["/status/0"]],
    [{ status_code: [] }, ["/status_code"]],
    [{ status_code: ["9xx"] }, ["/status_code"]],
    [{ min_attempts: "2" }, ["/min_attempts"]],
    [{ since: "yesterday", until: 5 }, ["/since", "/until"]],
    [{ label: "team" }, ["/label"]],
    [{ event_type: "\0" }, ["/event_type"]],
    [{ all: true, limit: 5, order: "oldest" }, ["/limit", "/order"]],
  ] as const)("refuses %j and names %j", async ([body, pointers], { api }) => {
    const answer = await post(api, "retry", body);
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual(pointers);
  });

  test("needs a body, and the scope write", async ({ api }) => {
    expect((await api.call("POST", "/v1/deliveries:retry")).status).toBe(400);
    expect((await api.call("POST", "/v1/deliveries:retry", { body: [] })).status).toBe(400);
    expect((await api.call("POST", "/v1/deliveries:retry?all=true", { body: { all: true } })).status).toBe(400);
    const key = await storeKey(api, ["read"]);
    expect((await api.call("POST", "/v1/deliveries:retry", { body: { all: true }, key })).status).toBe(403);
  });

  test("starts no second operation when a request with an Idempotency-Key is sent again", async ({ api }) => {
    const headers = { "idempotency-key": newId() };
    const once = await api.call("POST", "/v1/deliveries:retry", { body: { all: true }, headers });
    const again = await api.call("POST", "/v1/deliveries:retry", { body: { all: true }, headers });
    expect(again.status).toBe(202);
    expect(again.body).toEqual(once.body);
    await runOperations(api);
  });
});

describe("POST /v1/deliveries:cancel", () => {
  test("cancels the pending deliveries, and refuses a status", async ({ api }) => {
    const { target } = await seed(api);
    expect(pointersOf(await post(api, "cancel", { target, status: ["pending"] }))).toEqual(["/status"]);
    expect((await post(api, "cancel", { target, dry_run: true })).body).toMatchObject({
      total: 1,
      by_status: { pending: 1, exhausted: 0 },
    });
    expect((await post(api, "cancel", { target })).body).toMatchObject({
      kind: "cancel_deliveries",
      filter: { target },
    });
    await runOperations(api);
    expect(await statusesOf(api, target)).toEqual(["exhausted", "succeeded", "cancelled"]);
  });
});

describe("/v1/operations", () => {
  test("lists the operations newest first, by state and page by page", async ({ api }) => {
    const key = await storeKey(api, ["write"]);
    const body = { all: true, status: ["cancelled"] };
    const first = (await api.call("POST", "/v1/deliveries:retry", { body, key })).body;
    expect(first.created_by).toEqual({
      key: expect.stringMatching(/^key_/),
      name: expect.stringMatching(/^of write /),
    });
    await runOperations(api);
    const second = (await post(api, "retry", body)).body;
    const page = (await api.call("GET", "/v1/operations?limit=1")).body;
    expect(page.data).toEqual([second]);
    const next = (await api.call("GET", `/v1/operations?limit=1&cursor=${page.next_cursor}`)).body;
    expect(next.data).toMatchObject([{ id: first.id, state: "succeeded" }]);
    expect((await api.call("GET", "/v1/operations?state=running")).body.data).toEqual([second]);
    expect(pointersOf(await api.call("GET", "/v1/operations?state=done"))).toEqual(["?state"]);
    await runOperations(api);
  });

  test("cancels an operation that runs, and refuses to cancel it again", async ({ api }) => {
    const { target } = await seed(api);
    const { id } = (await post(api, "retry", { target })).body;
    expect((await api.call("POST", `/v1/operations/${id}:cancel`)).body).toMatchObject({
      state: "cancelled",
      finished_at: expect.any(String),
    });
    const again = await api.call("POST", `/v1/operations/${id}:cancel`);
    expect(again.body).toMatchObject({ status: 409, code: "operation_finished" });
    await runOperations(api);
    expect(await statusesOf(api, target)).toEqual(["exhausted", "succeeded", "pending"]);
    const missing = formatId("opr", newId());
    expect((await api.call("GET", `/v1/operations/${missing}`)).body.code).toBe("not_found");
    expect((await api.call("POST", `/v1/operations/${missing}:cancel`)).body.code).toBe("not_found");
    expect((await api.call("GET", "/v1/operations/dlv_1")).body.code).toBe("invalid_id");
  });
});
