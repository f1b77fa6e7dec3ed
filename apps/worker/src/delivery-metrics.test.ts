import { Registry, type PrometheusContentType } from "@prometheus-io/client";
import { newId } from "@sluice/shared/domain/ids";
import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";
import { MAX_NAMED_TARGETS } from "@sluice/store/journal/busiest-targets";
import { expect, test } from "vitest";

import type { AttemptResult } from "@sluice/attempt/attempt-result";
import { DeliveryMetrics } from "./delivery-metrics.ts";
import { TargetLabels } from "./target-labels.ts";

const result = (changes: Partial<AttemptResult> = {}): AttemptResult => ({
  startedAtMs: Date.now(),
  durationMs: 20,
  statusCode: 200,
  error: null,
  responseExcerpt: null,
  retryAfterMs: undefined,
  seen: { address: null, connectMs: null, firstByteMs: null, responseHeaders: null },
  ...changes,
});

const delivery = (targetId: string, changes: Partial<ClaimedDelivery> = {}): ClaimedDelivery => ({
  id: newId(),
  eventId: newId(),
  targetId,
  eventType: null,
  webhookId: "msg",
  contentType: null,
  contentEncoding: null,
  bodyUnbound: false,
  traceContext: null,
  body: Buffer.alloc(0),
  attemptCount: 0,
  failureCount: 0,
  trigger: "initial",
  deadlineInMs: 1_000,
  ...changes,
});

function open(names: readonly string[]) {
  const targets = new Map(names.map((name) => [name, { name }]));
  const inFlight = new Map<string, number>();
  const registry = new Registry<PrometheusContentType>();
  const labels = new TargetLabels(() => targets);
  const metrics = new DeliveryMetrics({ registry, labels, countInFlight: () => inFlight });
  const read = async (metric: string) => {
    await metrics.tidy();
    const lines = (await registry.metrics()).split("\n").filter((line) => line.startsWith(metric));
    return Object.fromEntries(
      lines.map((line) => [line.slice(metric.length, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]),
    );
  };
  return { targets, inFlight, labels, metrics, read };
}

test("an attempt counts under its target, its outcome and one of few reasons", async () => {
  const { metrics, read } = open(["a"]);
  const failures: [Partial<AttemptResult>, string][] = [
    [{ statusCode: null, error: "timeout: no connection within 5 s" }, "timeout"],
    [{ statusCode: 200, error: "timeout: no complete response within 5 s" }, "timeout"],
    [{ statusCode: null, error: "connection: connect ECONNREFUSED 10.0.0.1:80" }, "connection"],
    [{ statusCode: null, error: "connection: getaddrinfo ENOTFOUND billing.internal" }, "dns"],
    [{ statusCode: null, error: "connection: DEPTH_ZERO_SELF_SIGNED_CERT self-signed certificate" }, "tls"],
    [{ statusCode: null, error: "connection: CERT_HAS_EXPIRED certificate has expired" }, "tls"],
    [{ statusCode: null, error: "address refused: 10.0.0.1 is not allowed by TARGET_DENY" }, "address_refused"],
    [{ statusCode: null, error: "the service is not there" }, "other_error"],
    [{ statusCode: 302 }, "redirect"],
    [{ statusCode: 404 }, "client_error"],
    [{ statusCode: 410 }, "gone"],
    [{ statusCode: 429 }, "rate_limited"],
    [{ statusCode: 503 }, "server_error"],
    [{ statusCode: 999 }, "other_status"],
  ];
  for (const [changes, reason] of failures) {
    const series = `{target="a",outcome="failure",reason="${reason}"}`;
    const before = (await read("sluice_delivery_attempts_total"))[series] ?? 0;
    metrics.countAttempt(delivery("a"), result(changes));
    expect(await read("sluice_delivery_attempts_total")).toMatchObject({ [series]: before + 1 });
  }
  metrics.countAttempt(delivery("a"), result());
  expect(await read("sluice_delivery_attempts_total")).toMatchObject({
    '{target="a",outcome="success",reason="ok"}': 1,
  });
  expect(await read("sluice_delivery_attempt_duration_seconds_count")).toEqual({
    '{outcome="success"}': 1,
    '{outcome="failure"}': failures.length,
  });
});

test("the time from receipt to success counts each success once, and nothing that somebody retried by hand", async () => {
  const { metrics, read } = open(["a"]);
  metrics.countAttempt(delivery("a"), result({ statusCode: 500 }));
  metrics.countAttempt(delivery("a", { trigger: "manual" }), result());
  metrics.countAttempt(delivery("a", { trigger: "retry", attemptCount: 3, failureCount: 1 }), result());
  expect(await read("sluice_delivery_end_to_end_seconds_count")).toEqual({ "": 0 });
  const startedAtMs = Date.now() + 4_000;
  metrics.countAttempt(delivery("a", { trigger: "retry", attemptCount: 2, failureCount: 2 }), result({ startedAtMs }));
  expect(await read("sluice_delivery_end_to_end_seconds_count")).toEqual({ "": 1 });
  expect(await read("sluice_delivery_end_to_end_seconds_bucket")).toMatchObject({
    '{le="1"}': 0,
    '{le="5"}': 1,
  });
});

test("what is finished begins with 0 for each target, so that an alert sees the first", async () => {
  const { metrics, read } = open(["a"]);
  expect(await read("sluice_deliveries_finished_total")).toEqual(
    Object.fromEntries(
      ["_other", "a"].flatMap((target) =>
        ["succeeded", "exhausted", "cancelled"].map((each) => [`{target="${target}",result="${each}"}`, 0]),
      ),
    ),
  );
  metrics.countFinished([{ targetId: "a", result: "exhausted", count: 3 }]);
  expect(await read("sluice_deliveries_finished_total")).toMatchObject({ '{target="a",result="exhausted"}': 3 });
});

test("a target that is deleted or renamed loses its series, and goes on under its new label", async () => {
  const { targets, metrics, read } = open(["a", "b"]);
  for (const id of ["a", "b"]) metrics.countAttempt(delivery(id), result());
  targets.delete("a");
  targets.set("b", { name: "renamed" });
  expect(await read("sluice_delivery_attempts_total")).toEqual({});
  for (const id of ["a", "b"]) metrics.countAttempt(delivery(id), result());
  expect(await read("sluice_delivery_attempts_total")).toEqual({
    '{target="_other",outcome="success",reason="ok"}': 1,
    '{target="renamed",outcome="success",reason="ok"}': 1,
  });
});

test("with more targets than names only the busiest have a series, and all others share one", async () => {
  const names = Array.from({ length: MAX_NAMED_TARGETS + 50 }, (_, index) => `target-${index}`);
  const { labels, inFlight, metrics, read } = open(names);
  labels.choose(names.slice(50));
  for (const name of names) {
    metrics.countAttempt(delivery(name), result());
    inFlight.set(name, 1);
  }
  const series = await read("sluice_delivery_attempts_total");
  expect(Object.keys(series)).toHaveLength(MAX_NAMED_TARGETS + 1);
  expect(series).toMatchObject({ '{target="_other",outcome="success",reason="ok"}': 50 });
  const requests = await read("sluice_deliveries_in_flight");
  expect(Object.keys(requests)).toHaveLength(MAX_NAMED_TARGETS + 1);
  expect(requests).toMatchObject({ '{target="_other"}': 50, '{target="target-50"}': 1 });
});
