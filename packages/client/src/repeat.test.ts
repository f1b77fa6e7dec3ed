// What the client repeats, and what it must not. Requests go to the real API; where an answer has to be lost, it is lost
// after the API has given it.

import { expect } from "vitest";

import { createApi } from "@sluice/gateway/api/api";

import { ADMIN_KEY, test, type TestApi } from "../../../tests/support/api/test-api.ts";
import { createSluiceClient } from "./client.ts";
import type { Fetch } from "./repeat.ts";

const TARGET = { subscribed_events: ["*"] };
const LOST = () => {
  throw new TypeError("fetch failed", { cause: Object.assign(new Error("reset"), { code: "ECONNRESET" }) });
};
const BROKEN_OFF = () =>
  new Response(new ReadableStream({ start: (controller) => controller.error(new TypeError("terminated")) }));
const answerWith =
  (status: number, headers: Record<string, string> = {}) =>
  () =>
    new Response("{}", { status, headers: { "content-type": "application/problem+json", ...headers } });

/** @param faults what becomes of the first answers of the API; every later one arrives. */
function connect(api: TestApi, faults: (() => Response)[], maxTries = 3) {
  const app = createApi(api);
  const requests: Request[] = [];
  const fetch: Fetch = async (request) => {
    requests.push(request.clone());
    const answer = await app.request(request, undefined, { incoming: { socket: { remoteAddress: "192.0.2.1" } } });
    return faults.shift()?.() ?? answer;
  };
  const sluice = createSluiceClient({ baseUrl: "http://relay.example", apiKey: ADMIN_KEY, maxTries, fetch });
  return { sluice, requests };
}

async function namesOf(sluice: ReturnType<typeof connect>["sluice"], prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of sluice.list("/v1/targets")) if (name.startsWith(prefix)) names.push(name);
  return names;
}

test("a POST whose answer was lost has its effect once, and gives the answer", async ({ api }) => {
  const { sluice, requests } = connect(api, [LOST, LOST]);
  const { id } = await sluice.post("/v1/targets", { body: { ...TARGET, uri: "http://a.example/", name: "once" } });
  expect(id).toMatch(/^tgt_/);
  expect(requests.length).toBe(3);
  expect(new Set(requests.map(({ headers }) => headers.get("idempotency-key"))).size).toBe(1);
  expect(await namesOf(sluice, "once")).toEqual(["once"]);
});

test("a PUT whose answer was lost gives the secret of what it created, also under a condition", async ({ api }) => {
  const { sluice } = connect(api, [LOST]);
  const params = { path: { name: "put-once" }, header: { "If-None-Match": "*" } };
  const created = await sluice.put("/v1/targets/by-name/{name}", {
    params,
    body: { ...TARGET, uri: "http://e.example/" },
  });
  expect(created).toMatchObject({ name: "put-once", new_signing_secret: expect.stringMatching(/^whsec_/) });
});

test("each POST has a key of its own, unless the caller gives one", async ({ api }) => {
  const { sluice, requests } = connect(api, []);
  const body = { ...TARGET, uri: "http://b.example/", name: "mine" };
  await sluice.post("/v1/targets", { body });
  await sluice.post("/v1/targets", { body: { ...body, name: "mine-2" } });
  const headers = { "idempotency-key": "my-key" };
  const first = await sluice.post("/v1/targets", { body: { ...body, name: "mine-3" }, headers });
  const second = await sluice.post("/v1/targets", { body: { ...body, name: "mine-3" }, headers });
  expect(second.id).toBe(first.id);
  const keys = requests.map((request) => request.headers.get("idempotency-key"));
  expect(new Set(keys)).toHaveLength(3);
  expect(keys.at(-1)).toBe("my-key");
});

test("a DELETE whose answer was lost succeeds, and one of nothing does not", async ({ api }) => {
  const { sluice } = connect(api, []);
  const { id } = await sluice.post("/v1/targets", { body: { ...TARGET, uri: "http://c.example/" } });
  const params = { path: { id } };
  const { sluice: unlucky } = connect(api, [LOST]);
  expect(await unlucky.delete("/v1/targets/{id}", { params })).toBeUndefined();
  await expect(sluice.delete("/v1/targets/{id}", { params })).rejects.toMatchObject({ code: "not_found" });
  // The first try was refused, so that it cannot have deleted anything.
  const { sluice: busy } = connect(api, [answerWith(429)]);
  await expect(busy.delete("/v1/targets/{id}", { params })).rejects.toMatchObject({ code: "not_found" });
});

test("a change under a condition is not repeated when it may have taken effect", async ({ api }) => {
  const { sluice } = connect(api, []);
  const { id } = await sluice.post("/v1/targets", { body: { ...TARGET, uri: "http://d.example/" } });
  const params = { path: { id } };
  const change = async (faults: (() => Response)[], headers: Record<string, string>) => {
    const { sluice: unlucky, requests } = connect(api, faults);
    const result = unlucky.patch("/v1/targets/{id}", { params, headers, body: { max_in_flight: 7 } });
    return result.then(
      () => requests.length,
      (error: unknown) => error,
    );
  };
  expect(await change([LOST], {})).toBe(2);
  expect(await change([LOST], { "if-match": "*" })).toMatchObject({
    name: "NoAnswerError",
    message: expect.stringContaining("ECONNRESET"),
  });
  expect(await change([answerWith(503)], { "if-match": "*" })).toMatchObject({ status: 503 });
  expect(await change([answerWith(429)], { "if-match": "*" })).toBe(2);
});

test.for([
  { status: 503, requests: 2 },
  { status: 504, requests: 2 },
  { status: 429, requests: 2 },
  { status: 408, requests: 2 },
  { status: 400, requests: 1 },
  { status: 409, requests: 1 },
  { status: 500, requests: 1 },
  // The relay asked Gemini. A repetition would cost another call.
  { status: 502, requests: 1 },
])("an answer with $status makes $requests requests of one call", async ({ status, requests: expected }, { api }) => {
  const { sluice, requests } = connect(api, [answerWith(status)]);
  await sluice.get("/v1/targets").catch(() => undefined);
  expect(requests).toHaveLength(expected);
});

test("an answer that breaks off is asked for again", async ({ api }) => {
  const { sluice, requests } = connect(api, [BROKEN_OFF]);
  await sluice.get("/v1/targets");
  expect(requests).toHaveLength(2);
});

test("a 502 of a proxy is repeated", async ({ api }) => {
  const { sluice, requests } = connect(api, [answerWith(502, { "content-type": "text/html" })]);
  await sluice.get("/v1/targets");
  expect(requests).toHaveLength(2);
});

test("a call is tried as often as its client may, and a long Retry-After is left to the caller", async ({ api }) => {
  const away = [answerWith(503), answerWith(503), answerWith(503)];
  const { sluice, requests } = connect(api, away, 2);
  await expect(sluice.get("/v1/targets")).rejects.toMatchObject({ status: 503 });
  expect(requests).toHaveLength(2);
  const { sluice: patient, requests: sent } = connect(api, [answerWith(503, { "retry-after": "3600" })]);
  await expect(patient.get("/v1/targets")).rejects.toMatchObject({ status: 503, retryAfterSeconds: 3600 });
  expect(sent).toHaveLength(1);
});

test("an abort ends the call, also between two tries", async ({ api }) => {
  const abort = new AbortController();
  const stop = () => {
    abort.abort(new Error("enough"));
    return answerWith(503)();
  };
  const { sluice, requests } = connect(api, [stop]);
  await expect(sluice.get("/v1/targets", { signal: abort.signal })).rejects.toThrow("enough");
  expect(requests).toHaveLength(1);
});
