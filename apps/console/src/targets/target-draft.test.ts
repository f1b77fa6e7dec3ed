// What a form of a target sends: only what was changed, secrets untouched, and texts as the relay can judge them.

import { expect, test } from "vitest";

import type { TargetRow } from "../data/records.ts";
import { bodyOf, draftOf, headerPointer, newDraft, newTargetBody, withKind } from "./target-draft.ts";

const TARGET: TargetRow = {
  id: "tgt_01h455vb4pex5vsknk084sn02q",
  name: "billing",
  kind: "http",
  uri: "http://billing.internal:3000/gemini",
  subscribed_events: ["batch.*"],
  state: "enabled",
  state_reason: null,
  state_changed_at: "2026-01-22T12:00:00Z",
  health: { breaker: "closed", open_until: null, failing_since: null, last_success_at: null, last_failure_at: null },
  headers: { authorization: "[redacted]" },
  timeout_seconds: 20,
  max_in_flight: 64,
  rate_limit: null,
  retry: { base_seconds: 5, cap_seconds: 3600, horizon_seconds: 86400 },
  filter: null,
  tls: null,
  delete_after_idle_seconds: null,
  last_pulled_at: null,
  signing_secrets: [],
  lost_secrets: [],
  managed_by: null,
  created_at: "2026-01-22T12:00:00Z",
  updated_at: "2026-01-22T12:00:00Z",
};

test("an unchanged form changes nothing", () => {
  expect(bodyOf(draftOf(TARGET), draftOf(TARGET))).toEqual({});
});

test("a stored header value stays when another header is added", () => {
  const before = draftOf(TARGET);
  const draft = { ...before, headers: [...before.headers, { name: "x-team", value: "billing", isStored: false }] };
  expect(bodyOf(draft, before)).toEqual({ headers: { authorization: "[redacted]", "x-team": "billing" } });
});

test("a change of the origin names the stored headers, so that the relay says which it drops", () => {
  const before = draftOf(TARGET);
  expect(bodyOf({ ...before, uri: "http://billing.internal:3000/other" }, before)).toEqual({
    uri: "http://billing.internal:3000/other",
  });
  expect(bodyOf({ ...before, uri: "http://other.internal/" }, before)).toHaveProperty("headers");
});

test("a text that is no number is sent as it is, and an emptied one as null", () => {
  const before = draftOf(TARGET);
  expect(bodyOf({ ...before, timeoutSeconds: "ten", maxInFlight: "", retryBase: "0.5" }, before)).toEqual({
    timeout_seconds: "ten",
    max_in_flight: null,
    retry: { base_seconds: 0.5 },
  });
});

test("half a rate limit is sent, so that the relay names the missing half", () => {
  expect(newTargetBody({ ...newDraft(), rateRequests: "10" })["rate_limit"]).toEqual({
    requests: 10,
    per_seconds: null,
  });
});

test("a new target sends only what was filled in, and nothing of another kind", () => {
  const draft = { ...newDraft(), uri: "http://a/", maxInFlight: "3", subscribedEvents: "batch.*, video.generated" };
  expect(newTargetBody(draft)).toEqual({
    kind: "http",
    uri: "http://a/",
    max_in_flight: 3,
    subscribed_events: ["batch.*", "video.generated"],
  });
  expect(newTargetBody(withKind(draft, "pull"))).toEqual({
    kind: "pull",
    subscribed_events: ["batch.*", "video.generated"],
  });
});

test("a header is pointed at as RFC 6901 says", () => {
  expect(headerPointer("a/b~c")).toBe("/headers/a~1b~0c");
});

test("settings of TLS are removed as a whole when that was chosen", () => {
  const before = draftOf(TARGET);
  expect(bodyOf({ ...before, tlsServerName: "billing" }, before)).toEqual({ tls: { server_name: "billing" } });
  expect(bodyOf({ ...before, tlsServerName: "billing", removesTls: true }, before)).toEqual({ tls: null });
});
