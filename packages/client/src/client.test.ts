// A caller's view of the client: its types hold, and its calls do what the API says. Everything runs against the real API.

import { expect, onTestFinished } from "vitest";

import { openHttpApi } from "../../../tests/support/api/http-api.ts";
import { recordAttempt, seedEvent, storeKey, test, type TestApi } from "../../../tests/support/api/test-api.ts";
import { ApiError, NoAnswerError } from "./api-error.ts";
import { createSluiceClient, type Schemas } from "./client.ts";

const TARGET = { uri: "http://a.example/hook", subscribed_events: ["batch.*"] };

async function open(api: TestApi) {
  const { url, stop } = await openHttpApi(api);
  onTestFinished(stop);
  return createSluiceClient({ baseUrl: url, apiKey: await storeKey(api, ["admin"]) });
}

const failureOf = async (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

test("calls have the types of the document, and their answers have what the types say", async ({ api }) => {
  const sluice = await open(api);
  const created = await sluice.post("/v1/targets", { body: { ...TARGET, name: "typed" } });
  const params = { path: { id: created.id } };
  const truncated: string | undefined = created.signing_secrets[0]?.truncated_secret;
  expect(truncated).toMatch(/^whsec_/);
  const changed: Schemas["Target"] = await sluice.patch("/v1/targets/{id}", { params, body: { max_in_flight: 3 } });
  const inFlight: number = changed.max_in_flight;
  expect(inFlight).toBe(3);
  // @ts-expect-error -- there is no such field
  expect(changed.max_inflight).toBeUndefined();
  // @ts-expect-error -- there is no such path
  expect(await failureOf(sluice.get("/v1/nothing"))).toMatchObject({ code: "not_found" });
  // @ts-expect-error -- the id is missing
  void (() => sluice.get("/v1/targets/{id}"));
  // @ts-expect-error -- `subscribed_events` is missing
  void (() => sluice.post("/v1/targets", { body: { uri: "http://one.example/" } }));
  // @ts-expect-error -- this list has no such filter
  void (() => sluice.list("/v1/targets", { colour: "red" }));

  const nothing: undefined = await sluice.delete("/v1/targets/{id}", { params });
  expect(nothing).toBeUndefined();
});

test("an error says what the relay said, in fields", async ({ api }) => {
  const sluice = await open(api);
  const colour = { ...TARGET, colour: "red" };
  const error = await failureOf(
    sluice.post("/v1/targets", { body: colour, headers: { "x-request-id": "my-request" } }),
  );
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({
    status: 400,
    code: "invalid_request",
    requestId: "my-request",
    errors: [{ pointer: "/colour", detail: expect.any(String) }],
    message: expect.stringMatching(/^POST \/v1\/targets: 400 invalid_request: .*colour/),
  });
  const params = { path: { id: "tgt_01h455vb4pex5vsknk084sn02q" } };
  expect(await failureOf(sluice.get("/v1/targets/{id}", { params }))).toMatchObject({ code: "not_found", errors: [] });
  // The WebhookService has errors of another form.
  expect(await failureOf(sluice.get("/v1/webhooks/{id}", { params }))).toMatchObject({
    status: 404,
    code: "NOT_FOUND",
    detail: "There is no webhook with this id",
  });
});

test("an answer that is not the relay's has the status as its code", async () => {
  const answers = [new Response("<html>Bad Gateway</html>", { status: 502 }), new Response(null, { status: 403 })];
  const fetch = async () => answers.shift() as Response;
  const sluice = createSluiceClient({ baseUrl: "http://relay.example", apiKey: "key", maxTries: 1, fetch });
  const bad = await failureOf(sluice.get("/v1/stats"));
  expect(bad).toMatchObject({ code: "http_502", detail: "<html>Bad Gateway</html>", requestId: undefined });
  expect(await failureOf(sluice.get("/v1/stats"))).toMatchObject({ code: "http_403" });
});

test("an address at which nobody listens is named, with the reason", async () => {
  const sluice = createSluiceClient({ baseUrl: "http://127.0.0.1:9", apiKey: "key", maxTries: 1 });
  const error = await failureOf(sluice.get("/v1/targets"));
  expect(error).toBeInstanceOf(NoAnswerError);
  expect(error).toMatchObject({ message: expect.stringContaining("GET http://127.0.0.1:9/v1/targets") });
});

test("an address at which something else answers is named, too", async () => {
  const answers = [new Response("<html>Welcome</html>")];
  const fetch = async () => answers.shift() as Response;
  const sluice = createSluiceClient({ baseUrl: "http://relay.example", apiKey: "key", fetch });
  expect(await failureOf(sluice.get("/v1/targets"))).toMatchObject({
    name: "NoAnswerError",
    message: expect.stringMatching(/^GET http:\/\/relay\.example\/v1\/targets: no answer \(.*JSON/),
  });
});

test("a list is read to its end over its pages, with its filters", async ({ api }) => {
  const sluice = await open(api);
  const target = await sluice.post("/v1/targets", { body: { uri: "http://b.example/", subscribed_events: ["*"] } });
  const { rows } = await api.db.pool.query<{ id: string }>("SELECT id FROM targets WHERE uri = $1", [target.uri]);
  const deliveries: string[] = [];
  for (let seeded = 0; seeded < 7; seeded++) {
    const { deliveryIds } = await seedEvent(
      api,
      rows.map(({ id }) => id),
    );
    deliveries.push(...deliveryIds);
  }
  for (const id of deliveries.slice(0, 5)) await recordAttempt(api, id, { status: "exhausted" });

  const found: string[] = [];
  const query = { target: target.id, status: ["exhausted" as const], limit: 2 };
  for await (const { id, status } of sluice.list("/v1/deliveries", query)) {
    expect(status).toBe("exhausted");
    found.push(id);
  }
  expect(new Set(found).size).toBe(5);
  expect(found).toEqual(found.toSorted().toReversed());

  const delivery = await sluice.get("/v1/deliveries/{id}", { params: { path: { id: found[0] ?? "" } } });
  expect(delivery.attempts[0]?.response_excerpt).toBe("oops");
  const retried = await sluice.post("/v1/deliveries/{id}:retry", { params: { path: { id: delivery.id } } });
  expect(retried.status).toBe("pending");
});

test("raw gives the headers of an answer, such as the ETag of a change under a condition", async ({ api }) => {
  const sluice = await open(api);
  const { id } = await sluice.post("/v1/targets", { body: TARGET });
  const params = { path: { id } };
  const { response } = await sluice.raw.GET("/v1/targets/{id}", { params });
  const headers = { "if-match": response.headers.get("etag") ?? "" };
  const change = (name: string) => sluice.patch("/v1/targets/{id}", { params, headers, body: { name } });
  expect(await change("first")).toMatchObject({ name: "first" });
  expect(await failureOf(change("second"))).toMatchObject({ code: "precondition_failed" });
});
