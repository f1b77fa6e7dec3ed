// The maker of callback URLs sends labels as they were typed, and announces a job only when one was chosen.

import { expect, test } from "vitest";

import { callbackBody, newCallbackDraft } from "./callback-draft.ts";

test("labels are lines of a name and a value, which may hold =", () => {
  expect(callbackBody({ ...newCallbackDraft(), labels: "job = nightly\n\nquery=a=b\nlonely" })).toEqual({
    labels: { job: "nightly", query: "a=b", lonely: "" },
    expires_in_seconds: 604_800,
    single_use: false,
  });
});

test("a job is announced when its kind was chosen", () => {
  expect(callbackBody({ ...newCallbackDraft(), jobKind: "video", isSingleUse: true })).toMatchObject({
    single_use: true,
    job: { kind: "video" },
  });
});
