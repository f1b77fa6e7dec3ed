// An id of the right form never makes the relay fail, even if no resource can have this id.

import fc from "fast-check";
import { expect } from "vitest";

import { formatId, type IdPrefix } from "@sluice/shared/domain/ids";

import { test } from "../../../../../tests/support/api/test-api.ts";

const ZERO = "00000000-0000-0000-0000-000000000000";

/** Each place that takes an id; `@` stands for the id. */
const PLACES: { at: string; prefix: IdPrefix; answers: number; body?: object }[] = [
  { at: "GET /v1/sources/@", prefix: "src", answers: 404 },
  { at: "PATCH /v1/sources/@", prefix: "src", answers: 404, body: {} },
  { at: "DELETE /v1/sources/@", prefix: "src", answers: 404 },
  { at: "POST /v1/sources/@/signing-secrets", prefix: "src", answers: 404, body: { previous: "revoke_after_24h" } },
  { at: "POST /v1/sources/@/ingress-tokens", prefix: "src", answers: 404 },
  { at: "POST /v1/sources/@/callback-urls", prefix: "src", answers: 404, body: { labels: {} } },
  { at: `DELETE /v1/sources/${formatId("src", ZERO)}/ingress-tokens/@`, prefix: "itk", answers: 404 },
  { at: "GET /v1/targets/@", prefix: "tgt", answers: 404 },
  { at: "PATCH /v1/targets/@", prefix: "tgt", answers: 404, body: {} },
  { at: "DELETE /v1/targets/@", prefix: "tgt", answers: 404 },
  { at: "GET /v1/events/@", prefix: "evt", answers: 404 },
  { at: "GET /v1/deliveries/@", prefix: "dlv", answers: 404 },
  { at: "POST /v1/deliveries/@:retry", prefix: "dlv", answers: 404 },
  { at: "POST /v1/deliveries/@:cancel", prefix: "dlv", answers: 404 },
  { at: "POST /v1/events/@:replay", prefix: "evt", answers: 404 },
  { at: "GET /v1/events?source=@", prefix: "src", answers: 200 },
  { at: "GET /v1/deliveries?source=@", prefix: "src", answers: 200 },
  { at: "GET /v1/deliveries?target=@", prefix: "tgt", answers: 200 },
  { at: "GET /v1/deliveries?event=@", prefix: "evt", answers: 200 },
  { at: "GET /v1/deliveries?event=@&webhook_id=msg_1", prefix: "evt", answers: 200 },
  { at: "GET /v1/rejections?source=@", prefix: "src", answers: 200 },
];

/** The ends of the range of UUIDs and of the times in them, and random UUIDs. */
const uuids = fc.oneof(
  fc.constantFrom(
    ZERO,
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "ffffffff-ffff-7fff-bfff-ffffffffffff",
    "ffffffff-fffe-0000-0000-000000000000",
  ),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => {
    const hex = Buffer.from(bytes).toString("hex");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }),
);

test.for(PLACES)("$at", async ({ at, prefix, answers, body }, { api }) => {
  const [method = "", path = ""] = at.split(" ");
  await fc.assert(
    fc.asyncProperty(uuids, async (uuid) => {
      const answer = await api.call(
        method,
        path.replace("@", formatId(prefix, uuid)),
        body === undefined ? {} : { body },
      );
      expect(answer.status).toBe(answers);
    }),
    { numRuns: 25 },
  );
});
