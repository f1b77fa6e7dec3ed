import { expect, test } from "vitest";

import { readFilterInput } from "./input.ts";

const read = (payload: unknown, type: string | null = "video.generated") => {
  const body = Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));
  return readFilterInput({ type, body, userMetadata: null, labels: null, bodyUnbound: false }, "gemini");
};

test("a filter sees the type, the data, the metadata, the labels and the source", () => {
  const body = Buffer.from('{"type":"batch.failed","data":{"id":"b"}}');
  const event = { type: "batch.failed", body, userMetadata: { job: 1 }, labels: { team: "a" }, bodyUnbound: true };
  expect(readFilterInput(event, "gemini")).toEqual({
    event: {
      type: "batch.failed",
      data: { id: "b" },
      user_metadata: { job: 1 },
      labels: { team: "a" },
      body_unbound: true,
    },
    source: "gemini",
    hasManyFields: false,
  });
});

test.for(["", "{", "[]", "null", "{}", '{"data":null}'])(
  "a body %j gives data of null, and is not an error",
  (body) => {
    expect(read(body, null).event).toEqual({
      type: "",
      data: null,
      user_metadata: {},
      labels: {},
      body_unbound: false,
    });
  },
);

test.for(["text", 7, [1]])("data can be any value: %j", (data) => {
  expect(read({ data }).event.data).toEqual(data);
});

test("the older shape of video.generated has the newer names too, and the reverse", () => {
  const older = { file_id: "files/1", video_uri: "gs://v" };
  const newer = { file_name: "files/1", output_file_uri: "gs://v" };
  for (const data of [older, newer, { ...older, ...newer }]) {
    expect(read({ data: { id: "v", ...data } }).event.data).toEqual({ id: "v", ...older, ...newer });
  }
  expect(read({ data: { file_id: "old", file_name: "new" } }).event.data).toEqual({ file_id: "old", file_name: "new" });
  expect(read({ data: { id: "v" } }).event.data).toEqual({ id: "v" });
  expect(read({ data: older }, "batch.succeeded").event.data).toEqual(older);
});

test("__proto__ in the data is a key like any other", () => {
  const { data } = read('{"data":{"__proto__":{"file_id":"x"},"video_uri":"u"}}').event;
  expect(Object.keys(data as object)).toEqual(["__proto__", "video_uri", "output_file_uri"]);
  expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
});
