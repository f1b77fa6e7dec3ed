// What schemathesis checks, for every endpoint of the document: a request that the document calls valid is not refused as
// invalid, one that it calls invalid is, a request without a key and one with another method get the answers that they
// should. tests/support/api/answer-contract.ts compares each answer with its description, here as in every test.

import { expect } from "vitest";

import { type DescribedEndpoint, endpointsOf } from "../../../../tests/support/api/described-endpoints.ts";
import { mutationsOf } from "../../../../tests/support/api/mutated-requests.ts";
import { openPreparedApi, prepareEndpoint } from "../../../../tests/support/api/prepared-endpoints.ts";
import { type Answer, pointersOf, test as base } from "../../../../tests/support/api/test-api.ts";
import { createApi } from "./api.ts";
import { createDocument } from "./openapi/document.ts";

const test = base.extend("document", { scope: "file" }, ({ api }) => createDocument(createApi(api)));

const exampleOf = ({ requestBody }: DescribedEndpoint) =>
  requestBody?.content?.["application/json"]?.example as object | undefined;

const fill = (path: string, parts: Record<string, string>) =>
  path.replaceAll(/\{([a-z_]+)\}/g, (_, name: string) => encodeURIComponent(parts[name] ?? ""));

const isGoogle = ({ path }: DescribedEndpoint) => /^\/v1(?:beta)?\/webhooks/.test(path);

/** Whether a request was refused because of this field or parameter. */
function isRefusedFor(
  answer: Answer,
  { endpoint, pointer }: { endpoint: DescribedEndpoint; pointer: string },
): boolean {
  if (answer.status !== 400 || BEYOND_SCHEMAS.some((reason) => reason.test(detailOf(answer)))) return false;
  // Google's errors name the field in their text alone.
  if (isGoogle(endpoint)) return detailOf(answer).includes(pointer);
  return pointersOf(answer).some((each) => each === pointer || each.startsWith(`${pointer}/`));
}

/** Refusals for reasons that no schema can give. */
const BEYOND_SCHEMAS = [
  // What exists, and in which state it is.
  /name or the id of a source|is the id of no target|as in the path|cannot be changed: the job has a name/,
  // How fields depend on each other.
  /is a field of (static|dynamic) sources|must keep cap_seconds|must be the name of a (batch|interaction|video)/,
  /is required for a target that the relay sends to|is only for pull targets/,
  // Grammars, and texts that only the relay can read.
  /CEL expression|IP address|is not a cursor|belongs to another list|a webhook has no such field/,
  /at most 200 intervals/,
];
/** These take a text too, as they did before they took a list. The document has the list alone, for the sake of generators. */
const TEXT_OR_LIST = ["/label", "/user_metadata"];

const detailOf = ({ body }: Answer) => String(body.errors?.[0]?.detail ?? body.error?.message);

test("every endpoint takes its example", async ({ api: given, document }) => {
  const api = await openPreparedApi(given);
  for (const endpoint of endpointsOf(document)) {
    const { parts, body = exampleOf(endpoint) } = await prepareEndpoint(api, endpoint);
    const answer = await api.call(endpoint.method.toUpperCase(), fill(endpoint.path, parts), { body });
    expect(answer.status, `${endpoint.method} ${endpoint.path} ${JSON.stringify(answer.body)}`).toBeLessThan(300);
  }
});

test("no endpoint answers without a key, and each says how to authenticate", async ({ api, document }) => {
  for (const { method, path } of endpointsOf(document)) {
    const answer = await api.call(method.toUpperCase(), fill(path, { id: "a", name: "a", token_id: "a" }), {
      key: null,
    });
    expect(answer.status, `${method} ${path}`).toBe(401);
    expect(answer.headers.get("www-authenticate")).toBe("Bearer");
  }
});

test("every path answers 405 to each method that it does not take, and names those that it takes", async ({
  api,
  document,
}) => {
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    const known = Object.keys(item).map((method) => method.toUpperCase());
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"].filter(
      (each) => !known.includes(each),
    )) {
      const answer = await api.call(method, fill(path, { id: "a", name: "a", token_id: "a" }));
      expect(answer.status, `${method} ${path}`).toBe(405);
      const allowed = (answer.headers.get("allow") ?? "").split(", ");
      expect(allowed.filter((each) => each !== "HEAD" && each !== "OPTIONS").toSorted()).toEqual(known.toSorted());
    }
  }
});

test("a body is refused exactly when the document calls it invalid", async ({ api: given, document }) => {
  const api = await openPreparedApi(given);
  const { bodiesOf } = mutationsOf(document);
  const wrong: string[] = [];
  let sent = 0;
  for (const endpoint of endpointsOf(document)) {
    if (endpoint.requestBody === undefined) continue;
    const { parts, body = exampleOf(endpoint) ?? {} } = await prepareEndpoint(api, endpoint);
    for (const mutation of bodiesOf(endpoint, body)) {
      sent += 1;
      const path = fill(endpoint.path, parts);
      const answer = await api.call(endpoint.method.toUpperCase(), path, { body: mutation.body });
      const described = `${endpoint.method} ${endpoint.path} ${mutation.at} ${JSON.stringify(mutation.value)?.slice(0, 60)}`;
      const isRefused = answer.status >= 400;
      const isText = typeof mutation.value === "string" && TEXT_OR_LIST.includes(mutation.at);
      if (!mutation.isValid && !isRefused && !isText) wrong.push(`taken: ${described}`);
      if (mutation.isValid && isRefusedFor(answer, { endpoint, pointer: mutation.at }))
        wrong.push(`refused: ${described}: ${detailOf(answer)}`);
    }
  }
  expect(sent).toBeGreaterThan(1_000);
  expect(wrong).toEqual([]);
});

test("a query is refused exactly when the document calls it invalid", async ({ api: given, document }) => {
  const api = await openPreparedApi(given);
  const { queriesOf } = mutationsOf(document);
  const wrong: string[] = [];
  for (const endpoint of endpointsOf(document)) {
    const mutations = queriesOf(endpoint);
    if (mutations.length === 0) continue;
    const { parts, body = exampleOf(endpoint) } = await prepareEndpoint(api, endpoint);
    for (const { name, query, isValid } of mutations) {
      const path = `${fill(endpoint.path, parts)}?${query}`;
      const answer = await api.call(endpoint.method.toUpperCase(), path, { body });
      if (!isValid && answer.status < 400) wrong.push(`taken: ${endpoint.method} ${path.slice(0, 200)}`);
      if (isValid && isRefusedFor(answer, { endpoint, pointer: `?${name}` }))
        wrong.push(`refused: ${endpoint.method} ${path.slice(0, 100)}: ${detailOf(answer)}`);
    }
  }
  expect(wrong).toEqual([]);
});
