import { expect } from "vitest";

import { parseId } from "@sluice/shared/domain/ids";

import { A_SECRET, pointersOf, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";

async function create(api: TestApi, state = "enabled") {
  const body = { uri: "http://127.0.0.1:9/hook", subscribed_events: ["*"], state };
  return (await api.call("POST", "/v1/targets", { body })).body;
}

for (const [verb, from, to] of [
  ["pause", "enabled", "paused"],
  ["pause", "paused", "paused"],
  ["resume", "paused", "enabled"],
  ["resume", "enabled", "enabled"],
  ["enable", "disabled", "enabled"],
  ["enable", "paused", "enabled"],
  ["disable", "enabled", "disabled"],
  ["disable", "paused", "disabled"],
] as const) {
  test(`:${verb} makes a target that is ${from} ${to}`, async ({ api }) => {
    const { id } = await create(api, from);
    const woken = api.woken.length;
    const answer = await api.call("POST", `/v1/targets/${id}:${verb}`);
    expect(answer).toMatchObject({ status: 200, body: { id, state: to } });
    expect((await api.call("GET", `/v1/targets/${id}`)).body).toEqual(answer.body);
    expect(api.woken.length - woken).toBe(to === "enabled" ? 1 : 0);
  });
}

test.for([
  ["pause", "paused"],
  ["resume", "enabled"],
  ["enable", "enabled"],
  ["disable", "disabled"],
])(
  ":%s of a target that is %s changes nothing, and leaves no entry in the audit trail",
  async ([verb, state], { api }) => {
    const { id } = await create(api, state);
    const before = await api.call("GET", `/v1/targets/${id}`);
    const answer = await api.call("POST", `/v1/targets/${id}:${verb}`);
    expect(answer.body).toEqual(before.body);
    expect(answer.headers.get("etag")).toBe(before.headers.get("etag"));
    expect((await api.call("GET", `/v1/audit?resource=${id}&action=target.updated`)).body.data).toEqual([]);
  },
);

test(":enable of an enabled target closes its breaker, and the audit trail has that", async ({ api }) => {
  const { id } = await create(api);
  await api.db.pool.query(
    "INSERT INTO target_health (target_id, openings, open_until) VALUES ($1, 1, now() + interval '1 hour')",
    [parseId("tgt", id, "id")],
  );
  expect((await api.call("POST", `/v1/targets/${id}:enable`)).body.health.breaker).toBe("closed");
  expect((await api.call("GET", `/v1/audit?resource=${id}&action=target.updated`)).body.data).toHaveLength(1);
});

test(":pause and :resume refuse a disabled target and leave its state", async ({ api }) => {
  for (const verb of ["pause", "resume"]) {
    const { id } = await create(api, "disabled");
    const answer = await api.call("POST", `/v1/targets/${id}:${verb}`);
    expect(answer).toMatchObject({ status: 409, body: { code: "target_disabled" } });
    expect((await api.call("GET", `/v1/targets/${id}`)).body).toMatchObject({ state: "disabled" });
  }
});

test("every verb refuses an unknown target, a malformed id, another method and unknown fields", async ({ api }) => {
  for (const verb of ["pause", "resume", "enable", "disable", "test", "rotate-secret"]) {
    const body = verb === "rotate-secret" ? { previous: "revoke_immediately" } : {};
    const { id } = await create(api);
    const call = (method: string, target: string, sent: object = body) =>
      api.call(method, `/v1/targets/${target}:${verb}`, { ...(method === "POST" && { body: sent }) });
    expect(await call("POST", "tgt_01h455vb4pex5vsknk084sn02q")).toMatchObject({ body: { code: "not_found" } });
    expect(await call("POST", "abc")).toMatchObject({ body: { code: "invalid_id" } });
    expect(await call("GET", id)).toMatchObject({ body: { code: "method_not_allowed" } });
    const unknown = await call("POST", id, { ...body, force: true });
    expect(unknown.body).toMatchObject({ code: "invalid_request" });
    expect(pointersOf(unknown)).toEqual(["/force"]);
  }
});

test(":rotate-secret shows a secret that it generated, and never one from the caller", async ({ api }) => {
  const { id, new_signing_secret: first } = await create(api);
  const rotate = (body: object) => api.call("POST", `/v1/targets/${id}:rotate-secret`, { body });
  const made = await rotate({ previous: "revoke_after_24h" });
  expect(made.body.new_signing_secret).toMatch(/^whsec_/);
  expect(made.body.signing_secrets).toEqual([
    { truncated_secret: `whsec_...${first.slice(-4)}`, expire_time: expect.any(String) },
    { truncated_secret: `whsec_...${made.body.new_signing_secret.slice(-4)}`, expire_time: null },
  ]);
  const given = await rotate({ previous: "revoke_immediately", secret: A_SECRET });
  expect(given.status).toBe(200);
  expect(given.body).not.toHaveProperty("new_signing_secret");
  expect(given.body.signing_secrets).toEqual([{ truncated_secret: "whsec_...LaSw", expire_time: null }]);
});

test(":rotate-secret refuses a secret that is already valid, one that is too short, and an eleventh", async ({
  api,
}) => {
  const { id, new_signing_secret: first } = await create(api);
  const rotate = (secret?: string) =>
    api.call("POST", `/v1/targets/${id}:rotate-secret`, {
      body: { previous: "revoke_after_24h", ...(secret !== undefined && { secret }) },
    });
  for (const secret of [first, "whsec_c2hvcnQ="]) {
    const refused = await rotate(secret);
    expect(refused).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(pointersOf(refused)).toEqual(["/secret"]);
  }
  for (let valid = 1; valid < 10; valid++) expect((await rotate()).status).toBe(200);
  expect(await rotate()).toMatchObject({ status: 409, body: { code: "limit_reached" } });
});

test("every change and test of a target is in the audit trail, without its secrets", async ({ api }) => {
  const { id } = await create(api);
  for (const verb of ["pause", "rotate-secret"]) {
    const body = verb === "pause" ? {} : { previous: "revoke_immediately", secret: A_SECRET };
    expect((await api.call("POST", `/v1/targets/${id}:${verb}`, { body })).status).toBe(200);
  }
  await api.call("PATCH", `/v1/webhooks/${id}`, { body: { name: "renamed" } });
  await api.call("DELETE", `/v1/webhooks/${id}`);
  const { data } = (await api.call("GET", `/v1/audit?resource=${id}`)).body;
  expect(data.map((entry: { action: string }) => entry.action)).toEqual([
    "target.deleted",
    "target.updated",
    "target.secret_rotated",
    "target.updated",
    "target.created",
  ]);
  expect(data[3]).toMatchObject({ before: { state: "enabled" }, after: { state: "paused" } });
  expect(JSON.stringify(data)).not.toContain(A_SECRET);
});
