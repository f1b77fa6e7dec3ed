// Sends generated requests to every endpoint of the document. Every answer must be one that the document describes, must
// not be a 5xx, and must not show internals such as file names or SQL. The requests are the same in every run, so the
// test only fails after a change. FUZZ_SEED makes other requests, and FUZZ_RUNS sets how many each endpoint gets. See
// CONTRIBUTING.md for longer runs.

import fc from "fast-check";
import { expect, onTestFinished } from "vitest";

import { closeServer, listen } from "@sluice/shared/runtime/http-server";

import { createAnswerContract } from "../../../../tests/support/api/answer-contract.ts";
import { endpointsOf } from "../../../../tests/support/api/described-endpoints.ts";
import {
  type FuzzDocument,
  type FuzzRequest,
  fuzzRequests,
  KnownIds,
  spoil,
} from "../../../../tests/support/api/fuzz-requests.ts";
import {
  ADMIN_KEY,
  createTestApi,
  recordAttempt,
  seedEvent,
  type TestApi,
} from "../../../../tests/support/api/test-api.ts";
import { test as base } from "../../../../tests/support/database.ts";
import { sendRaw } from "../../../../tests/support/raw-request.ts";
import { openServer } from "../http/server.ts";
import { createApi } from "./api.ts";
import { createDocument } from "./openapi/document.ts";

const seed = Number(process.env["FUZZ_SEED"] ?? 1);
const numRuns = Number(process.env["FUZZ_RUNS"] ?? 30);
/** Long enough for a busy machine. On an idle one, the test takes a few seconds. */
const TIMEOUT_MS = 600_000;

// This is printed first, because a process that dies could not report its seed.
process.stdout.write(`FUZZ_SEED=${seed}\n`);

/** Paths of files, frames of a stack, and SQL. No generated request contains any of them. */
const INTERNAL =
  /node_modules|\bat (?:async )?[\w.<>]+ \(|file:\/\/|\.[jt]s:\d|\bselect .* from\b|\binsert into\b|relation "|column "|invalid input syntax|\bdrizzle\b|\bzod\b/i;

/** An API whose worker attempts every test event at once: the endpoint would wait for the attempt otherwise. */
const test = base.extend("api", { scope: "file" }, async ({ database }) => {
  const api: TestApi = await createTestApi(database.db, {
    testTarget: (_, deliveryId) => recordAttempt(api, deliveryId, { status: "succeeded" }, { statusCode: 200 }),
  });
  return api;
});

/** Creates one or more of each resource, and events with attempts. */
async function seedLog(api: TestApi): Promise<void> {
  const uri = "http://127.0.0.1:9/hook";
  const targetIds: string[] = [];
  for (const name of ["one", "two", "three"]) {
    const { body } = await api.call("POST", "/v1/targets", { body: { name, uri, subscribed_events: ["*"] } });
    targetIds.push(body.id);
  }
  await api.call("POST", "/v1/sources", { body: { name: "a-dynamic-one", kind: "dynamic" } });
  await api.call("POST", "/v1/keys", { body: { name: "reader", scopes: ["read"] } });
  const { rows } = await api.db.pool.query<{ id: string }>("SELECT id FROM targets");
  for (let number = 0; number < 5; number++) {
    const { deliveryIds } = await seedEvent(
      api,
      rows.map(({ id }) => id),
    );
    const [first = "", second = ""] = deliveryIds;
    await recordAttempt(api, first, { status: "exhausted" });
    await recordAttempt(api, second, { status: "succeeded" }, { statusCode: 200 });
  }
}

const readDocument = async (app: ReturnType<typeof createApi>) =>
  (await (await app.request("/openapi.json")).json()) as FuzzDocument;

/** The order in which the endpoints are called. Deletions come last, so that the other requests find something. */
const ORDER = ["get", "post", "patch", "put", "delete"];

const listEndpoints = (document: FuzzDocument) =>
  endpointsOf(document).toSorted((one, other) => ORDER.indexOf(one.method) - ORDER.indexOf(other.method));

/** The relay of this test has no Gemini, and a generated source may have an API key. */
const isGeminiAway = (status: number, text: string) => status === 502 && text.includes('"code":"gemini_failed"');

/** The log of the gateway, for admins: it says of a request that broke off where the code was. */
const isLog = (status: number, path: string) => status === 200 && path.startsWith("/v1/system/log");

function requireHarmless(path: string, status: number, contentType: string | null, text: string): void {
  if (status >= 500 && !isGeminiAway(status, text)) throw new Error(`The status is ${status}: ${text}`);
  const found = isLog(status, path) ? null : INTERNAL.exec(text);
  if (found !== null) throw new Error(`The answer contains "${found[0]}": ${text.slice(0, 1_000)}`);
  if (status < 400 || text === "") return;
  // The WebhookService answers errors in the form of Google's APIs, as plain JSON.
  expect(contentType).toMatch(/^application\/(problem\+)?json/);
}

test(
  "a generated request never gets a 5xx, an answer that is not described, or internals",
  async ({ api }) => {
    await seedLog(api);
    const app = createApi(api);
    const contract = createAnswerContract(createDocument(app));
    const document = await readDocument(app);
    const requestsOf = fuzzRequests(document);
    const ids = new KnownIds();
    const send = async (generated: FuzzRequest) => {
      const { method, path, headers, body } = ids.putInto(generated);
      const hasBody = body !== undefined && !/^(get|head)$/i.test(method);
      const request = new Request(`http://api${path}`, {
        method,
        headers: { authorization: `Bearer ${ADMIN_KEY}`, ...headers },
        ...(hasBody && { body: body as NonNullable<RequestInit["body"]> }),
      });
      const answer = await app.fetch(request, { incoming: { socket: { remoteAddress: "192.0.2.1" } } });
      const contentType = answer.headers.get("content-type");
      // A stream never ends, so its body cannot be read to the end.
      const isStream = contentType?.startsWith("text/event-stream") === true;
      if (isStream) await answer.body?.cancel();
      const isPlain = !answer.headers.has("content-encoding");
      const text = isStream || !isPlain ? "" : await answer.text();
      requireHarmless(path, answer.status, contentType, text);
      contract.check(method, request.url, { status: answer.status, headers: answer.headers, text });
      ids.learn(text);
      return answer.status;
    };
    const counts = { sent: 0, succeeded: 0 };
    const faults: string[] = [];
    for (const { path: template, method } of listEndpoints(document)) {
      const property = fc.asyncProperty(requestsOf(template, method), async (request) => {
        counts.sent += 1;
        if ((await send(request)) < 300) counts.succeeded += 1;
      });
      // Shrinking is off: the request that failed may have changed the data that smaller requests would need.
      const result = await fc.check(property, { seed, numRuns, endOnFailure: true });
      if (!result.failed) continue;
      const request = JSON.stringify(result.counterexample).slice(0, 3_000);
      faults.push(`${method.toUpperCase()} ${template}: ${request}\n${String(result.errorInstance)}`);
    }
    expect(faults.join("\n\n")).toBe("");
    // If almost all requests were refused, the test would prove nothing.
    expect(counts.succeeded / counts.sent).toBeGreaterThan(0.1);
  },
  TIMEOUT_MS,
);

test(
  "a request that only a raw socket can send never gets a 5xx or internals, and the server continues",
  async ({ api }) => {
    await seedLog(api);
    const app = createApi(api);
    const document = await readDocument(app);
    const requestsOf = fuzzRequests(document);
    const ids = new KnownIds();
    ids.learn(JSON.stringify((await api.call("GET", "/v1/deliveries")).body));
    const { server } = openServer(app.fetch, api.log);
    const url = await listen(server, { host: "127.0.0.1", port: 0 }, "API_PORT");
    onTestFinished(() => closeServer(server, 0));
    // The tail is left out: its stream never ends.
    const endpoints = listEndpoints(document).filter(({ path }) => path !== "/v1/tail");
    const all = endpoints.map(({ path, method }) => requestsOf(path, method));
    const property = fc.asyncProperty(spoil(fc.oneof(...all)), async ({ method, path, headers, chunks }) => {
      const filled = ids.putInto({ method, path, headers, body: undefined });
      const withKey = { authorization: `Bearer ${ADMIN_KEY}`, ...headers };
      const { status, head, body } = await sendRaw(url, {
        method,
        path: filled.path,
        headers: withKey,
        chunks,
        end: true,
      });
      if (status !== undefined)
        requireHarmless(filled.path, status, /^content-type: (\S+)/im.exec(head)?.[1] ?? null, body);
      else expect(body).toBe("");
    });
    await fc.assert(property, { seed, numRuns: numRuns * 10, endOnFailure: true });
    const after = await fetch(`${url}/v1/targets`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
    expect(after.status).toBe(200);
  },
  TIMEOUT_MS,
);
