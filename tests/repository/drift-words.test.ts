// The console says each difference at Gemini in its own words. It leaves out what the sentences of the relay say to callers of
// its API, and knows each code of a difference.

import { expect, test } from "vitest";

import { judgeFailure, judgeMissingKey, judgeWebhook } from "@sluice/store/upstream/upstream-drift";

import { describeDrift } from "../../apps/console/src/sources/drift-words.ts";

const EXPECTED = {
  uri: "https://hooks.example.com/in/gemini",
  subscribedEvents: ["batch.succeeded"],
  sourceName: "gemini",
  heldSecrets: ["whsec_...held"],
};
const WEBHOOK = { id: "w", name: "sluice", state: "enabled", ...EXPECTED, secrets: [] };
const failure = (kind: "not_found" | "unauthorized" | "refused" | "unavailable") =>
  judgeFailure(
    { kind, message: "Google says no" } as Parameters<typeof judgeFailure>[0],
    { code: kind, detail: "", since: "2026-01-22T12:00:00.000Z" },
    [],
    Date.UTC(2026, 1, 1),
  );

const ALL = [
  ...judgeWebhook({ ...WEBHOOK, state: "disabled" }, EXPECTED),
  ...judgeWebhook({ ...WEBHOOK, state: "disabled_due_to_failed_deliveries" }, EXPECTED),
  ...judgeWebhook({ ...WEBHOOK, uri: "https://other.example.com/in/gemini" }, EXPECTED),
  ...judgeWebhook(WEBHOOK, { ...EXPECTED, sourceName: "renamed" }),
  ...judgeWebhook({ ...WEBHOOK, subscribedEvents: ["video.generated"] }, EXPECTED),
  ...judgeWebhook({ ...WEBHOOK, secrets: [{ truncated: "whsec_...other", expireTime: null }] }, EXPECTED),
  ...failure("not_found"),
  ...failure("unauthorized"),
  ...failure("refused"),
  ...failure("unavailable"),
  ...judgeMissingKey([]),
];

test("a difference names no request and no field of the API", () => {
  expect(new Set(ALL.map(({ code }) => code)).size).toBe(10);
  for (const drift of ALL) {
    const { title, detail, todo } = describeDrift(drift);
    expect(`${title} ${detail} ${todo}`).not.toMatch(/POST|_api_key|subscribed_events/);
    expect(title).not.toBe(drift.code.replaceAll("_", " "));
    expect(`${detail}${todo}`).not.toBe("");
  }
});

test("a difference says what Gemini has, and which button mends it", () => {
  const [drift] = judgeWebhook({ ...WEBHOOK, uri: "https://other.example.com/in/gemini" }, EXPECTED);
  expect(drift && describeDrift(drift)).toEqual({
    title: "Another address",
    detail: "Gemini sends to https://other.example.com/in/gemini and not to https://hooks.example.com/in/gemini.",
    todo: "“Register again” makes a webhook for the address of this source. Delete the old one at Gemini.",
  });
});
