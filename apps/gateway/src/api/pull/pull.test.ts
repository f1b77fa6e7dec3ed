// What a pull target takes, reports and keeps, by the API over PostgreSQL.

import { expect } from "vitest";

import { callVerb, createPullTarget, endLeases, pull, seedDue } from "../../../../../tests/support/api/pulls.ts";
import { pointersOf, storeKey, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { signBytes } from "../../../../../tests/support/sign.ts";

const ok = (token: string) => ({ token, status_code: 200, duration_ms: 5 });

async function ack(api: TestApi, target: { id: string }, ...results: object[]) {
  const answer = await callVerb(api, target, "ack", { results });
  expect(answer.status).toBe(200);
  return answer.body.results;
}

/** What a receiver computes. tests/pull-targets.test.ts verifies by a library that is not ours. */
const signatureOf = (secret: string, { headers, body }: Pulled) =>
  signBytes(secret, headers["webhook-id"] ?? "", Number(headers["webhook-timestamp"]), Buffer.from(body, "base64"));

interface Pulled {
  headers: Record<string, string>;
  body: string;
}

const readDelivery = async (api: TestApi, id: string) => (await api.call("GET", `/v1/deliveries/${id}`)).body;

test("a delivery is pulled with its bytes and signed headers, acknowledged, and in the log", async ({ api }) => {
  const target = await createPullTarget(api);
  const body = Buffer.from('{"type":"batch.succeeded","data":{"id":"é"}}');
  const event = { body, contentType: "application/json; charset=utf-8", bodyUnbound: true };
  await seedDue(api, target, 1, { event });
  const [delivery] = await pull(api, target);
  expect(delivery).toMatchObject({
    event_type: "batch.succeeded",
    attempt: 1,
    trigger: "initial",
    headers: {
      "user-agent": "sluice",
      "content-type": "application/json; charset=utf-8",
      "sluice-event-id": delivery.event_id,
      "sluice-delivery-id": delivery.delivery_id,
      "sluice-attempt": "1",
      "sluice-body-unbound": "true",
    },
  });
  expect(Buffer.from(delivery.body, "base64")).toEqual(body);
  expect(delivery.headers["webhook-signature"]).toBe(signatureOf(target.new_signing_secret, delivery));
  expect(Date.parse(delivery.deadline_at)).toBeGreaterThan(Date.now() + 86_000_000);
  expect(Date.parse(delivery.lease_expires_at)).toBeGreaterThan(Date.now() + 40_000);
  expect(await pull(api, target)).toEqual([]);
  expect(await readDelivery(api, delivery.delivery_id)).toMatchObject({ status: "pending", in_flight: true });

  const report = { ...ok(delivery.token), response_excerpt: `${"x".repeat(1_023)}é` };
  expect(await ack(api, target, report)).toEqual([
    { token: delivery.token, code: null, status: "succeeded", next_attempt_at: null },
  ]);
  const shown = await readDelivery(api, delivery.delivery_id);
  expect(shown).toMatchObject({ status: "succeeded", attempt_count: 1, last_status_code: 200, in_flight: false });
  expect(shown.attempts).toMatchObject([
    {
      number: 1,
      trigger: "initial",
      status_code: 200,
      error: null,
      duration_ms: 5,
      url: null,
      address: null,
      response_excerpt: "x".repeat(1_023),
      request_headers: {
        "webhook-id": delivery.headers["webhook-id"],
        "webhook-timestamp": delivery.headers["webhook-timestamp"],
        "sluice-attempt": "1",
      },
      response_headers: null,
    },
  ]);
});

test("a failure is retried by the schedule of the target, and Retry-After wins", async ({ api }) => {
  const retry = { base_seconds: 30, cap_seconds: 30, horizon_seconds: 86_400 };
  const target = await createPullTarget(api, { retry });
  await seedDue(api, target, 3);
  const [one, two, three] = await pull(api, target);
  const results = await ack(
    api,
    target,
    { token: one.token, status_code: 500, duration_ms: 5 },
    { token: two.token, status_code: 503, duration_ms: 5, retry_after_seconds: 600 },
    { token: three.token, error: "timeout: no answer within 20 s", duration_ms: 20_000 },
  );
  const inSeconds = results.map((result: { next_attempt_at: string }) =>
    Math.round((Date.parse(result.next_attempt_at) - Date.now()) / 10_000),
  );
  expect(results).toMatchObject([{ status: "pending" }, { status: "pending" }, { status: "pending" }]);
  expect(inSeconds).toEqual([3, 60, 3]);
  expect(await readDelivery(api, three.delivery_id)).toMatchObject({
    last_error: "timeout: no answer within 20 s",
    last_status_code: null,
    attempt_count: 1,
  });
});

test("the same report again changes nothing, also after the delivery was retried by hand", async ({ api }) => {
  const target = await createPullTarget(api);
  await seedDue(api, target);
  const [{ token, delivery_id: id }] = await pull(api, target);
  const failure = { token, status_code: 500, duration_ms: 5 };
  const [first] = await ack(api, target, failure);
  expect(await ack(api, target, failure)).toEqual([first]);
  expect((await readDelivery(api, id)).attempts).toHaveLength(1);

  await api.call("POST", `/v1/deliveries/${id}:retry`);
  expect(await ack(api, target, ok(token))).toMatchObject([{ status: "pending", code: null }]);
  const [again] = await pull(api, target);
  expect(again).toMatchObject({ delivery_id: id, attempt: 2, trigger: "manual" });
  const both = [ack(api, target, ok(again.token)), ack(api, target, ok(again.token))];
  for (const results of await Promise.all(both)) expect(results).toMatchObject([{ status: "succeeded", code: null }]);
  expect((await readDelivery(api, id)).attempts).toHaveLength(2);
});

test("a lease that runs out records no attempt, and its delivery is for whoever pulls next", async ({ api }) => {
  const target = await createPullTarget(api);
  await seedDue(api, target);
  const [lost] = await pull(api, target);
  await endLeases(api, target);
  const [held] = await pull(api, target);
  expect(held).toMatchObject({ delivery_id: lost.delivery_id, attempt: 1 });
  expect(held.token).not.toBe(lost.token);

  const extended = await callVerb(api, target, "extend", { tokens: [lost.token, held.token], lease_seconds: 600 });
  expect(extended.body.results).toMatchObject([
    { token: lost.token, code: "lease_lost", lease_expires_at: null },
    { token: held.token, code: null },
  ]);
  expect(Date.parse(extended.body.results[1].lease_expires_at)).toBeGreaterThan(Date.now() + 590_000);

  const [late] = await ack(api, target, { token: lost.token, status_code: 500, duration_ms: 5 });
  expect(late).toMatchObject({ code: "lease_lost", status: "pending" });
  expect(await readDelivery(api, held.delivery_id)).toMatchObject({ in_flight: true, status: "pending" });
  // The target has the event: a success counts, whoever holds the delivery.
  expect(await ack(api, target, ok(lost.token))).toMatchObject([{ code: null }]);
});

test("a success finishes a delivery that somebody else has, and a lease that ended is kept while nobody has", async ({
  api,
}) => {
  const target = await createPullTarget(api);
  await seedDue(api, target);
  const [lost] = await pull(api, target);
  await endLeases(api, target);
  await pull(api, target);
  expect(await ack(api, target, ok(lost.token))).toMatchObject([{ code: null, status: "succeeded" }]);

  await seedDue(api, target);
  const [kept] = await pull(api, target);
  await endLeases(api, target);
  const extended = await callVerb(api, target, "extend", { tokens: [kept.token] });
  expect(extended.body.results).toMatchObject([{ code: null }]);
  expect(await pull(api, target)).toEqual([]);
  await endLeases(api, target);
  expect(await ack(api, target, { token: kept.token, status_code: 500, duration_ms: 5 })).toMatchObject([
    { code: null, status: "pending" },
  ]);
});

test("a failure past the deadline exhausts a delivery", async ({ api }) => {
  const target = await createPullTarget(api);
  await seedDue(api, target, 1, { delivery: { horizonMs: 0 } });
  const [{ token }] = await pull(api, target);
  expect(await ack(api, target, { token, status_code: 500, duration_ms: 5 })).toMatchObject([
    { status: "exhausted", next_attempt_at: null, code: null },
  ]);
});

test("a token of another target finds nothing, and changes nothing", async ({ api }) => {
  const [target, other] = [await createPullTarget(api), await createPullTarget(api)];
  await seedDue(api, target);
  const [{ token, delivery_id: id }] = await pull(api, target);
  expect(await ack(api, other, ok(token))).toEqual([{ token, code: "not_found", status: null, next_attempt_at: null }]);
  const extended = await callVerb(api, other, "extend", { tokens: [token] });
  expect(extended.body.results).toMatchObject([{ code: "lease_lost", lease_expires_at: null }]);
  expect(await readDelivery(api, id)).toMatchObject({ status: "pending", attempts: [] });
});

test("a pull has as many deliveries as it asks for, the longest due first, and says how many more are due", async ({
  api,
}) => {
  const target = await createPullTarget(api);
  const first = await seedDue(api, target, 2);
  await seedDue(api, target, 3);
  const answer = await callVerb(api, target, "pull", { max: 2 });
  expect(answer.body.waiting).toBe(3);
  expect(answer.body.deliveries).toHaveLength(2);
  const { data } = (await api.call("GET", `/v1/deliveries?target=${target.id}&order=oldest`)).body;
  expect(answer.body.deliveries.map((one: { delivery_id: string }) => one.delivery_id).toSorted()).toEqual(
    data.slice(0, first.length).map((one: { id: string }) => one.id),
  );
});

test("a pull stops at some 4 MiB of bodies, and one body may be larger", async ({ api }) => {
  const target = await createPullTarget(api);
  const body = Buffer.alloc(3 * 1024 * 1024, "x");
  await seedDue(api, target, 3, { event: { body } });
  const answer = await callVerb(api, target, "pull", { max: 100 });
  expect(answer.body.deliveries).toHaveLength(2);
  expect(answer.body.waiting).toBe(1);
});

test.for(["paused", "disabled"])("a target that is %s hands out nothing, and takes reports", async (state, { api }) => {
  const target = await createPullTarget(api);
  await seedDue(api, target, 2);
  const [{ token }] = await pull(api, target, { max: 1 });
  await api.call("PATCH", `/v1/targets/${target.id}`, { body: { state } });
  expect((await callVerb(api, target, "pull")).body).toEqual({ deliveries: [], waiting: 0, state });
  expect(await ack(api, target, ok(token))).toMatchObject([{ status: "succeeded" }]);
  await api.call("POST", `/v1/targets/${target.id}:enable`);
  expect(await pull(api, target)).toHaveLength(1);
});

test("what is due is signed with every secret of the target during a rotation", async ({ api }) => {
  const target = await createPullTarget(api);
  const rotated = (
    await api.call("POST", `/v1/targets/${target.id}:rotate-secret`, { body: { previous: "revoke_after_24h" } })
  ).body;
  await seedDue(api, target);
  const [delivery] = await pull(api, target);
  const secrets = [target.new_signing_secret, rotated.new_signing_secret];
  expect(delivery.headers["webhook-signature"].split(" ").toSorted()).toEqual(
    secrets.map((secret) => signatureOf(secret, delivery)).toSorted(),
  );
});

test("an attempt begins between the pull and the report, whatever the clock of the service says", async ({ api }) => {
  const target = await createPullTarget(api);
  await seedDue(api, target, 2);
  const pulledAt = Date.now();
  const [one, two] = await pull(api, target);
  await ack(
    api,
    target,
    { ...ok(one.token), started_at: "1999-01-01T00:00:00Z" },
    { ...ok(two.token), started_at: "2999-01-01T00:00:00+02:00" },
  );
  for (const { delivery_id: id } of [one, two]) {
    const [attempt] = (await readDelivery(api, id)).attempts;
    expect(Date.parse(attempt.started_at)).toBeGreaterThanOrEqual(pulledAt - 1);
    expect(Date.parse(attempt.started_at)).toBeLessThanOrEqual(Date.now());
  }
});

test("only a pull target pulls", async ({ api }) => {
  const http = (
    await api.call("POST", "/v1/targets", { body: { uri: "http://one.example/", subscribed_events: ["*"] } })
  ).body;
  const token = "A".repeat(43);
  for (const [verb, body] of [
    ["pull", {}],
    ["ack", { results: [ok(token)] }],
    ["extend", { tokens: [token] }],
  ] as const)
    expect(await callVerb(api, http, verb, body)).toMatchObject({ status: 409, body: { code: "wrong_kind" } });
  expect(await callVerb(api, { id: "tgt_01h455vb4pex5vsknk084sn02q" }, "pull")).toMatchObject({ status: 404 });
});

test.for([
  ["pull", { max: 0 }, ["/max"]],
  ["pull", { max: 101, wait_seconds: 26, lease_seconds: 9 }, ["/max", "/wait_seconds", "/lease_seconds"]],
  ["pull", { wait: 1 }, ["/wait"]],
  ["ack", {}, ["/results"]],
  ["ack", { results: [] }, ["/results"]],
  ["ack", { results: [{ token: "no", status_code: 200, duration_ms: 1 }] }, ["/results/0/token"]],
  ["ack", { results: [{ token: "A".repeat(43), duration_ms: 1 }] }, ["/results/0"]],
  [
    "ack",
    { results: [{ token: "A".repeat(43), status_code: 99 }] },
    ["/results/0/status_code", "/results/0/duration_ms"],
  ],
  ["ack", { results: [ok("A".repeat(43)), ok("A".repeat(43))] }, ["/results/1/token"]],
  ["extend", { tokens: ["A".repeat(43), "A".repeat(43)] }, ["/tokens/1"]],
  ["extend", { tokens: [], lease_seconds: 601 }, ["/tokens", "/lease_seconds"]],
] as const)("%s refuses %j and names the fields", async ([verb, body, pointers], { api }) => {
  const target = await createPullTarget(api);
  const answer = await callVerb(api, target, verb, body);
  expect([answer.status, pointersOf(answer)]).toEqual([400, pointers]);
});

test("an Idempotency-Key stores nothing, and these calls write no audit entry", async ({ api }) => {
  const target = await createPullTarget(api);
  await seedDue(api, target, 2);
  const headers = { "idempotency-key": "one" };
  const count = async (table: string) =>
    Number((await api.db.pool.query(`SELECT count(*) FROM ${table}`)).rows[0].count);
  const before = [await count("audit"), await count("idempotency_keys")];
  const first = await callVerb(api, target, "pull", { max: 1 }, { headers });
  const second = await callVerb(api, target, "pull", { max: 1 }, { headers });
  expect(second.body.deliveries[0].delivery_id).not.toBe(first.body.deliveries[0].delivery_id);
  await callVerb(api, target, "ack", { results: [ok(second.body.deliveries[0].token)] }, { headers });
  expect([await count("audit"), await count("idempotency_keys")]).toEqual(before);
});

test("a target shows when it pulled last, and its ETag for changes stays", async ({ api }) => {
  const target = await createPullTarget(api);
  expect(target.last_pulled_at).toBeNull();
  const path = `/v1/targets/${target.id}`;
  const { headers } = await api.call("GET", path);
  await pull(api, target);
  await expect.poll(async () => Date.parse((await api.call("GET", path)).body.last_pulled_at)).toBeGreaterThan(0);
  const change = { body: { name: "pulled" }, headers: { "if-match": headers.get("etag") ?? "" } };
  expect((await api.call("PATCH", path, change)).status).toBe(200);
});

test("a key with the scope read cannot pull, and one with write can", async ({ api }) => {
  const target = await createPullTarget(api);
  const call = async (scope: "read" | "write") =>
    (await callVerb(api, target, "pull", {}, { key: await storeKey(api, [scope]) })).status;
  expect([await call("read"), await call("write")]).toEqual([403, 200]);
});
