import { randomBytes } from "node:crypto";

import { describe, expect } from "vitest";

import { formatId } from "@sluice/shared/domain/ids";

import { endpointsOf } from "../../../../../tests/support/api/described-endpoints.ts";
import { seedEvent, test } from "../../../../../tests/support/api/test-api.ts";
import { createApi } from "../api.ts";
import { createDocument } from "../openapi/document.ts";
import { replaceLone } from "./well-formed.ts";

// Each call also checks its answer: see answer-contract.ts.
describe("an answer has no half characters", () => {
  test("when it quotes an input: the whole character is there", async ({ api }) => {
    const body = { uri: "http://billing.internal", subscribed_events: ["*"], filter: "event.type == 😀" };
    const answer = await api.call("POST", "/v1/targets", { body });
    expect(answer).toMatchObject({ status: 400, body: { detail: expect.stringContaining("character: 😀") } });
  });

  test("when the input has some", async ({ api }) => {
    for (const [method, path, body] of [
      ["POST", "/v1/targets", String.raw`{"\ud83d":1}`],
      ["POST", "/v1/targets", String.raw`{"uri":"http://a","subscribed_events":["*"],"filter":"\ud83d"}`],
      ["POST", "/v1/sources", String.raw`{"name":"\ude00"}`],
      ["POST", "/v1beta/webhooks", String.raw`{"\ud83d":1}`],
    ] as const) {
      expect((await api.call(method, path, { body })).status).toBe(400);
    }
  });

  test("when the body of an event has some, which stay in the body", async ({ api }) => {
    const body = Buffer.from(
      String.raw`{"type":"a.b","data":{"id":"1","half":"\ud83d","slash":"\\ud83d","whole":"😀"}}`,
    );
    const { eventId } = await seedEvent(api, [], { body });
    const path = `/v1/events/${formatId("evt", eventId)}`;
    const shown = { half: "\ufffd", slash: String.raw`\ud83d`, whole: "😀" };
    expect((await api.call("GET", path)).body.payload.data).toMatchObject(shown);
    expect((await api.call("GET", `${path}/body`)).body).toEqual(JSON.parse(body.toString()));
  });
});

test("replaceLone leaves text that looks like an escape", () => {
  for (const value of ["\\ud83d", "\\\\ud83d", "😀", '"\\', "\\u0001\u0001"]) {
    expect(JSON.parse(replaceLone(JSON.stringify({ [value]: value })))).toEqual({ [value]: value });
  }
  expect(JSON.parse(replaceLone(JSON.stringify(["\\\ud83d", "\ud83d\ud83d\ude00"])))).toEqual(["\\\ufffd", "\ufffd😀"]);
});

describe("a JSON body that is not UTF-8", () => {
  const bytes = Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xe9]), Buffer.from('"}')]);

  test("is refused on every endpoint that takes a body, and the answer says why", async ({ api }) => {
    for (const { method, path, requestBody } of endpointsOf(createDocument(createApi(api)))) {
      if (requestBody === undefined) continue;
      const answer = await api.call(method.toUpperCase(), path, { body: bytes });
      expect(answer.status, `${method} ${path}`).toBe(400);
      expect(answer.body.detail ?? answer.body.error.message, `${method} ${path}`).toContain("not valid UTF-8");
    }
  });

  test("is refused with an Idempotency-Key too, which is free afterwards", async ({ api }) => {
    const headers = { "idempotency-key": randomBytes(8).toString("hex") };
    expect((await api.call("POST", "/v1/sources", { headers, body: bytes })).body.errors).toEqual([
      { pointer: "", detail: "must be valid UTF-8" },
    ]);
    expect((await api.call("POST", "/v1/sources", { headers, body: { name: "utf-8" } })).status).toBe(201);
  });
});
