// Every route of the document with generated requests: whatever comes, the answer is one that the document describes, is
// no 5xx, and says nothing of the inside. The same requests each time, so that who changed nothing here fails nothing
// here; FUZZ_SEED makes others, and FUZZ_RUNS says how many each route gets. To look further: CONTRIBUTING.md.

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
/** Of a machine that is busy with others: by itself it is a few seconds. */
const TIMEOUT_MS = 600_000;

// Before anything can go wrong, for a process that dies names no seed.
process.stdout.write(`FUZZ_SEED=${seed}\n`);

/** Paths of files, frames of a stack, and SQL. None of them is in what the requests are made of. */
const INTERNAL =
  /node_modules|\bat (?:async )?[\w.<>]+ \(|file:\/\/|\.[jt]s:\d|\bselect .* from\b|\binsert into\b|relation "|column "|invalid input syntax|\bdrizzle\b|\bzod\b/i;

/** With a worker that attempts tests at once, for each of them waits for one. */
const test = base.extend("api", { scope: "file" }, async ({ database }) => {
  const api: TestApi = await createTestApi(database.db, {
    testTarget: (_, deliveryId) => recordAttempt(api, deliveryId, { status: "succeeded" }, { statusCode: 200 }),
  });
  return api;
});

/** One of each resource, with a history. */
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

/** Changes come after reads and deletions last, so that there is something to read. */
const ORDER = ["get", "post", "patch", "put", "delete"];

const listEndpoints = (document: FuzzDocument) =>
  endpointsOf(document).toSorted((one, other) => ORDER.indexOf(one.method) - ORDER.indexOf(other.method));

function requireHarmless(status: number, contentType: string | null, text: string): void {
  if (status >= 500) throw new Error(`It is a ${status}: ${text}`);
  const found = INTERNAL.exec(text);
  if (found !== null) throw new Error(`It says "${found[0]}": ${text.slice(0, 1_000)}`);
  if (status < 400 || text === "") return;
  // Those of the WebhookService are in the words of Google.
  expect(contentType).toMatch(/^application\/(problem\+)?json/);
}

test(
  "a generated request never gets a 5xx, an answer that is not described, or a word of the inside",
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
      // A stream has no end.
      const isStream = contentType?.startsWith("text/event-stream") === true;
      if (isStream) await answer.body?.cancel();
      const isPlain = !answer.headers.has("content-encoding");
      const text = isStream || !isPlain ? "" : await answer.text();
      requireHarmless(answer.status, contentType, text);
      contract.check(method, request.url, { status: answer.status, contentType, text });
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
      // Not shrunk: the first that fails may have changed what the next ones are about.
      const result = await fc.check(property, { seed, numRuns, endOnFailure: true });
      if (!result.failed) continue;
      const request = JSON.stringify(result.counterexample).slice(0, 3_000);
      faults.push(`${method.toUpperCase()} ${template}: ${request}\n${String(result.errorInstance)}`);
    }
    expect(faults.join("\n\n")).toBe("");
    // Requests that are all refused at the door would show nothing.
    expect(counts.succeeded / counts.sent).toBeGreaterThan(0.1);
  },
  TIMEOUT_MS,
);

test(
  "what only a socket can send never gets a 5xx or a word of the inside, and the server goes on",
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
    // But for the stream, of which nobody here would see the end.
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
      if (status !== undefined) requireHarmless(status, /^content-type: (\S+)/im.exec(head)?.[1] ?? null, body);
      else expect(body).toBe("");
    });
    await fc.assert(property, { seed, numRuns: numRuns * 10, endOnFailure: true });
    const after = await fetch(`${url}/v1/targets`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
    expect(after.status).toBe(200);
  },
  TIMEOUT_MS,
);
