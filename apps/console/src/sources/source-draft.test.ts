// What a form of a source sends: only what was changed, nothing of the other kind, and no secret that was not typed.

import { expect, test } from "vitest";

import { newSourceBody, newSourceDraft, sourceBody } from "./source-draft.ts";

test("a new source sends its name and its kind, and what was filled in", () => {
  expect(newSourceBody({ ...newSourceDraft("dynamic"), name: "jobs", audiences: "a, b" })).toEqual({
    name: "jobs",
    kind: "dynamic",
    audiences: ["a", "b"],
  });
  expect(newSourceBody({ ...newSourceDraft(), name: "billing" })).toEqual({ name: "billing", kind: "static" });
});

test("a key of Gemini is sent when it was typed, and removed when that was chosen", () => {
  const before = newSourceDraft();
  expect(sourceBody(before, before)).toEqual({});
  expect(sourceBody({ ...before, geminiKey: "AIza1234" }, before)).toEqual({ gemini_api_key: "AIza1234" });
  expect(sourceBody({ ...before, geminiKey: "AIza1234", removesGeminiKey: true }, before)).toEqual({
    gemini_api_key: null,
  });
});

test("reconciling is sent field by field, and a text that is no number as it is", () => {
  const before = { ...newSourceDraft(), graceSeconds: "900" };
  expect(sourceBody({ ...before, reconciles: true, graceSeconds: "soon", toleranceSeconds: "60" }, before)).toEqual({
    tolerance_seconds: 60,
    reconcile: { enabled: true, grace_seconds: "soon" },
  });
});
