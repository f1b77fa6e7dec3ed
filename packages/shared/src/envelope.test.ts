import { expect, test } from "vitest";

import { parseJson, readEnvelope } from "./envelope.ts";

const read = (payload: unknown) => readEnvelope(Buffer.from(JSON.stringify(payload)));
const nothing = { type: null, occurredAtMs: null, userMetadata: null };

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
  });
});

test.for([
  { user_metadata: { a: 1 } },
  { userMetadata: { a: 1 } },
  { data: { user_metadata: { a: 1 } } },
  { data: { userMetadata: { a: 1 } } },
])("user_metadata is found in %j", (payload) => {
  expect(read(payload).userMetadata).toEqual({ a: 1 });
});

test.for(["", "{", "[]", "null", '"batch.succeeded"', "\u00ff"])("%j has no envelope, and is no error", (text) => {
  expect(readEnvelope(Buffer.from(text, "latin1"))).toEqual(nothing);
});

test.for([
  { type: 7, timestamp: 7, data: 7, user_metadata: 7 },
  { type: "a\u0000b", timestamp: "yesterday", user_metadata: { a: "\u0000" } },
  { type: "has space", timestamp: "-271821-04-20T00:00:00Z", user_metadata: [] },
  { type: "x".repeat(129) },
])("what PostgreSQL could not hold, or nobody subscribe to, is absent: %j", (payload) => {
  expect(read(payload)).toEqual(nothing);
});

test("a body that is not UTF-8 is not JSON, even where its text would be", () => {
  expect(parseJson(Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff), Buffer.from('"}')]))).toBeUndefined();
  expect(parseJson(Buffer.from('{"a":1}'))).toEqual({ a: 1 });
});
