import { expect, test } from "vitest";

import { isNestedWithin, isStorable, parseJson, readEnvelope } from "./envelope.ts";

const read = (payload: unknown) => readEnvelope(Buffer.from(JSON.stringify(payload)));
const nothing = { type: null, occurredAtMs: null, userMetadata: null, dataId: null };

test("Gemini's envelope is read", () => {
  const payload = {
    type: "batch.succeeded",
    version: "v1",
    timestamp: "2026-01-22T12:00:00Z",
    data: { id: "batch_123456", output_file_uri: "gs://my-bucket/results.jsonl" },
    user_metadata: { job: "nightly" },
  };
  expect(read(payload)).toEqual({
    type: "batch.succeeded",
    occurredAtMs: Date.parse("2026-01-22T12:00:00Z"),
    userMetadata: { job: "nightly" },
    dataId: "batch_123456",
  });
});

test.for([
  { user_metadata: { a: 1 } },
  { userMetadata: { a: 1 } },
  { data: { user_metadata: { a: 1 } } },
  { data: { userMetadata: { a: 1 } } },
  { user_metadata: { a: 1 }, data: { user_metadata: { b: 1 } } },
  { user_metadata: "text", userMetadata: [], data: { user_metadata: null, userMetadata: { a: 1 } } },
  { user_metadata: { a: "\0" }, data: { user_metadata: { a: 1 } } },
])("user_metadata is found in %j", (payload) => {
  expect(read(payload).userMetadata).toEqual({ a: 1 });
});

test.for(["", "{", "[]", "null", '"batch.succeeded"', "\u00ff"])(
  "%j has no envelope, and reading it is no error",
  (text) => {
    expect(readEnvelope(Buffer.from(text, "latin1"))).toEqual(nothing);
  },
);

test.for([
  { type: 7, timestamp: 7, data: 7, user_metadata: 7 },
  { type: "a\u0000b", timestamp: "yesterday", user_metadata: { a: "\u0000" } },
  { type: "has space", timestamp: "-271821-04-20T00:00:00Z", user_metadata: [] },
  { type: "x".repeat(129) },
])("a value that PostgreSQL cannot hold, or no target can subscribe to, is absent: %j", (payload) => {
  expect(read(payload)).toEqual(nothing);
});

test.for(['{"a":"\\ud800"}', '{"\\udc00":1}', '{"a":"\\u0000"}', '{"\\u0000":1}', '{"a":[{"b":["\\ud800x"]}]}'])(
  "metadata that PostgreSQL's jsonb would refuse is absent: %s",
  (json) => {
    expect(readEnvelope(Buffer.from(`{"type":"a","user_metadata":${json}}`))).toEqual({ ...nothing, type: "a" });
    expect(isStorable(JSON.parse(json))).toBe(false);
  },
);

test("metadata that only looks like that is kept", () => {
  const metadata = { a: "\\u0000", "\\ud800": "😀", deep: [[[[{ b: null }]]]] };
  expect(read({ user_metadata: metadata }).userMetadata).toEqual(metadata);
});

test("metadata nested a hundred thousand levels deep is absent, and reading it is no error", () => {
  const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  expect(readEnvelope(Buffer.from(`{"type":"a","user_metadata":${deep}}`))).toEqual({ ...nothing, type: "a" });
  expect(readEnvelope(Buffer.from(`{"type":"a","data":${deep}}`))).toEqual({ ...nothing, type: "a" });
});

test("metadata with a long number, beside fields nested a hundred thousand levels deep, is rounded and no error", () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const body = `{"type":"a","data":{"id":"b","deep":${deep}},"user_metadata":{"job":9007199254740993}}`;
  const userMetadata = { job: Number("9007199254740993") };
  expect(readEnvelope(Buffer.from(body))).toEqual({ ...nothing, type: "a", dataId: "b", userMetadata });
});

test("levels of nesting are counted up to the limit, and not followed beyond it", () => {
  expect(isNestedWithin(0, "a")).toBe(true);
  expect(isNestedWithin(0, [])).toBe(false);
  expect(isNestedWithin(2, { a: [1, null] })).toBe(true);
  expect(isNestedWithin(1, { a: 1, b: [] })).toBe(false);
  expect(isNestedWithin(500, JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`))).toBe(false);
});

test("a body that is not UTF-8 is not JSON, even where its text would be", () => {
  expect(parseJson(Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff), Buffer.from('"}')]))).toBeUndefined();
  expect(parseJson(Buffer.from('{"a":1}'))).toEqual({ a: 1 });
});
