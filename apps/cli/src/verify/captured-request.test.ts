// How a captured HTTP request is read: its bytes stay as they are, and what is wrong with it is named by its line.

import { expect, test } from "vitest";

import { parseCapturedRequest } from "./captured-request.ts";

const parse = (text: string) => parseCapturedRequest(Buffer.from(text, "latin1"));

test("the body keeps its bytes, also those that are no text", () => {
  const { path, headers, body } = parse("POST /in/gemini HTTP/1.1\r\nWebhook-Id:  msg_1 \r\n\r\n\xff\x00\r\n\r\nmore");
  expect({ path, headers }).toEqual({ path: "/in/gemini", headers: { "webhook-id": "msg_1" } });
  expect(body).toEqual(Buffer.from("\xff\x00\r\n\r\nmore", "latin1"));
});

test("a request whose lines end in a line feed alone, or that has no request line, is read too", () => {
  expect(parse("POST /in/a/b HTTP/2\nA: 1\n\nbody\n")).toEqual({
    path: "/in/a/b",
    headers: { a: "1" },
    body: Buffer.from("body\n"),
  });
  expect(parse("A: 1\n\nbody")).toEqual({ path: undefined, headers: { a: "1" }, body: Buffer.from("body") });
  expect(parse("A: 1")).toEqual({ path: undefined, headers: { a: "1" }, body: Buffer.alloc(0) });
});

test("a header that comes several times is one list", () => {
  expect(parse("Webhook-Signature: v1,a\nwebhook-signature: v1,b\n\n").headers).toEqual({
    "webhook-signature": "v1,a, v1,b",
  });
});

test("content-length ends the body, and a longer one leaves it as it is", () => {
  expect(parse("Content-Length: 4\n\nbody\n").body.toString()).toBe("body");
  expect(parse("Content-Length: 40\n\nbody").body.toString()).toBe("body");
});

test("chunks are joined, also those of a capture that was cut off", () => {
  const head = "Transfer-Encoding: chunked\r\n\r\n";
  expect(parse(`${head}4\r\nbody\r\n5;x=y\r\n here\r\n0\r\n\r\n`).body.toString()).toBe("body here");
  expect(parse(`${head}4\r\nbody\r\n5\r\n he`).body.toString()).toBe("body he");
  expect(() => parse(`${head}no size\r\n`)).toThrow("no size of a chunk at byte 0");
});

test("a line that is no header is named by its number", () => {
  expect(() => parse("POST / HTTP/1.1\nA: 1\nnothing\n\n")).toThrow("Line 3 is no header");
  expect(() => parse("nothing\n\n")).toThrow("Line 1 is no header");
});
