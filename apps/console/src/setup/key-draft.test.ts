// A new key has one scope, which includes the smaller ones, and an end by the relay's clock.

import { expect, test } from "vitest";

import { keyBody, newKeyDraft } from "./key-draft.ts";

const NOW_MS = Date.parse("2026-01-22T12:00:00Z");

test("a key without an end says so", () => {
  expect(keyBody({ ...newKeyDraft(), name: " dashboard " }, NOW_MS)).toEqual({
    name: "dashboard",
    scopes: ["read"],
    expires_at: null,
  });
});

test("a key for one target names it, and ends after its days", () => {
  const draft = { name: "puller", scope: "target", target: "tgt_01h455vb4pex5vsknk084sn02q", days: "30" };
  expect(keyBody(draft, NOW_MS)).toEqual({
    name: "puller",
    scopes: ["target:tgt_01h455vb4pex5vsknk084sn02q"],
    expires_at: "2026-02-21T12:00:00.000Z",
  });
});
