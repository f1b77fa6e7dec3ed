// GET /v1/deliveries and GET /v1/deliveries/{id}: what a delivery shows, and what each filter and page returns.

import { describe, expect } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { packDetails } from "@sluice/store/delivery/attempt-details";

import {
  type Answer,
  pointersOf,
  recordAttempt,
  seedEvent,
  test,
  type TestApi,
  WORKER_ID,
} from "../../../../../tests/support/api/test-api.ts";
import { seedLeasedDelivery } from "../../../../../tests/support/seed-leased-delivery.ts";
import { seedTarget } from "../../../../../tests/support/seed.ts";

const list = (api: TestApi, query: string) => api.call("GET", `/v1/deliveries${query}`);

const idsOf = ({ body }: Answer) => body.data.map(({ id }: { id: string }) => id) as string[];

/** A filter by target. */
const target = (id: string) => `target=${formatId("tgt", id)}`;

const ids = (...uuids: string[]) => new Set(uuids.map((id) => formatId("dlv", id)));

describe("GET /v1/deliveries/{id}", () => {
  test("shows a delivery that a worker holds as in flight, without a next attempt", async ({ api }) => {
    const { path, id, eventId, targetId, webhookId } = await seedLeasedDelivery(api);
    const answer = await api.call("GET", path);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      id: formatId("dlv", id),
      event: formatId("evt", eventId),
      event_type: "batch.succeeded",
      webhook_id: webhookId,
      source: formatId("src", api.geminiId),
      target: formatId("tgt", targetId),
      status: "pending",
      in_flight: true,
      worker: WORKER_ID,
      attempt_count: 0,
      next_attempt_at: null,
      deadline_at: expect.stringMatching(/Z$/),
      last_status_code: null,
      last_error: null,
      created_at: expect.stringMatching(/Z$/),
      finished_at: null,
      attempts: [],
    });
  });

  test("shows the outcome of the last attempt, and every attempt with the oldest first", async ({ api }) => {
    const { path, id, targetId } = await seedLeasedDelivery(api);
    const startedAtMs = Date.now();
    const details = packDetails({
      url: "http://billing.internal/",
      isWebhook: true,
      address: "10.0.4.17:80",
      connectMs: 1.5,
      firstByteMs: 11.25,
      trace: { traceId: "a".repeat(32), spanId: "b".repeat(16), isSampled: true, state: null },
      requestHeaders: { authorization: "[redacted]" },
      responseHeaders: { server: "nginx" },
    });
    await recordAttempt(api, id, { status: "pending", retryInMs: 60_000 }, { startedAtMs, details });
    await recordAttempt(
      api,
      id,
      { status: "succeeded" },
      { number: 2, trigger: "retry", statusCode: 204, responseExcerpt: null },
    );
    const { body } = await api.call("GET", path);
    expect(body).toMatchObject({
      status: "succeeded",
      in_flight: false,
      attempt_count: 2,
      next_attempt_at: null,
      last_status_code: 204,
      last_error: null,
      finished_at: expect.stringMatching(/Z$/),
    });
    expect(body.attempts).toEqual([
      {
        id: expect.stringMatching(/^att_/),
        delivery: body.id,
        event: body.event,
        target: formatId("tgt", targetId),
        source: formatId("src", api.geminiId),
        event_type: "batch.succeeded",
        number: 1,
        trigger: "initial",
        started_at: new Date(startedAtMs).toISOString(),
        duration_ms: 12.5,
        status_code: 500,
        error: null,
        response_excerpt: "oops",
        url: "http://billing.internal/",
        address: "10.0.4.17:80",
        connect_ms: 1.5,
        first_byte_ms: 11.25,
        trace_id: "a".repeat(32),
        request_headers: {
          "user-agent": "sluice",
          "content-type": "application/json",
          "webhook-id": body.webhook_id,
          "webhook-timestamp": String(Math.floor(startedAtMs / 1000)),
          "sluice-event-id": body.event,
          "sluice-delivery-id": body.id,
          "sluice-attempt": "1",
          authorization: "[redacted]",
          traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`,
        },
        response_headers: { server: "nginx" },
      },
      // As a version before the details wrote it.
      expect.objectContaining({
        number: 2,
        trigger: "retry",
        status_code: 204,
        response_excerpt: null,
        url: null,
        address: null,
        connect_ms: null,
        first_byte_ms: null,
        trace_id: null,
        request_headers: null,
        response_headers: null,
      }),
    ]);
  });

  test("shows the next attempt of a delivery that waits, and an expired lease as due and not in flight", async ({
    api,
  }) => {
    const { path, id } = await seedLeasedDelivery(api);
    await recordAttempt(api, id, { status: "pending", retryInMs: 60_000 }, { statusCode: null, error: "ECONNREFUSED" });
    const waiting = (await api.call("GET", path)).body;
    expect(waiting).toMatchObject({ in_flight: false, last_status_code: null, last_error: "ECONNREFUSED" });
    expect(Date.parse(waiting.next_attempt_at) - Date.now()).toBeGreaterThan(30_000);
    const stale = "UPDATE deliveries SET leased_by = $2, next_attempt_at = now() - interval '1 s' WHERE id = $1";
    await api.db.pool.query(stale, [id, newId()]);
    const expired = (await api.call("GET", path)).body;
    expect(expired).toMatchObject({ in_flight: false, status: "pending" });
    expect(Date.parse(expired.next_attempt_at) - Date.now()).toBeLessThan(0);
  });

  test("answers 404 for the id of no delivery", async ({ api }) => {
    const path = `/v1/deliveries/${formatId("dlv", newId())}`;
    expect((await api.call("GET", path)).body).toMatchObject({ status: 404, code: "not_found" });
  });
});

describe("GET /v1/deliveries", () => {
  test("returns the deliveries that match every filter", async ({ api }) => {
    const [a, b] = [await seedTarget(api.db), await seedTarget(api.db)];
    const first = await seedEvent(api, [a, b], { type: "list.one" });
    const second = await seedEvent(api, [a], { type: "list.two" });
    const [firstA = "", firstB = ""] = first.deliveryIds;
    const [secondA = ""] = second.deliveryIds;
    await recordAttempt(api, firstA, { status: "succeeded" }, { statusCode: 200 });
    await recordAttempt(api, firstB, { status: "exhausted" });
    const found = async (query: string) => new Set(idsOf(await list(api, `?${query}`)));
    expect(await found("event_type=list.*")).toEqual(ids(firstA, firstB, secondA));
    expect(await found("event_type=list.two")).toEqual(ids(secondA));
    expect(await found(target(a))).toEqual(ids(firstA, secondA));
    expect(await found(`${target(a)}&status=succeeded`)).toEqual(ids(firstA));
    expect(await found(`${target(b)}&status=exhausted`)).toEqual(ids(firstB));
    expect(await found(`${target(a)}&status=pending`)).toEqual(ids(secondA));
    expect(await found(`event=${formatId("evt", first.eventId)}`)).toEqual(ids(firstA, firstB));
    expect(await found(`webhook_id=${second.webhookId}`)).toEqual(ids(secondA));
    expect(await found(`webhook_id=${second.webhookId}&event=${formatId("evt", first.eventId)}`)).toEqual(ids());
    expect(await found(`webhook_id=none`)).toEqual(ids());
    expect(await found(`source=gemini&${target(b)}`)).toEqual(ids(firstB));
    expect(await found(`source=${formatId("src", newId())}&${target(b)}`)).toEqual(ids());
    expect(await found(`${target(a)}&since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z`)).toEqual(ids());
    expect((await list(api, `?${target(a)}&limit=1`)).body.data[0]).not.toHaveProperty("attempts");
  });

  test("returns every delivery once over all pages, newest first", async ({ api }) => {
    const targetId = await seedTarget(api.db);
    for (let i = 0; i < 5; i++) await seedEvent(api, [targetId]);
    const walked: string[] = [];
    let cursor = "";
    do {
      const page = await list(api, `?target=${formatId("tgt", targetId)}&limit=2${cursor}`);
      walked.push(...idsOf(page));
      cursor = page.body.next_cursor === null ? "" : `&cursor=${page.body.next_cursor}`;
    } while (cursor !== "");
    expect(walked).toHaveLength(5);
    expect(walked).toEqual([...new Set(walked)].toSorted().toReversed());
  });

  test.for([
    ["status=done", "?status", 'has "done"; the statuses are pending, '],
    ["status=", "?status", 'has ""; the statuses are pending, '],
    ["target=billing", "?target", "must look like tgt_"],
    ["target=", "?target", "must look like tgt_"],
    ["event=evt_1", "?event", "must look like evt_"],
    ["event=", "?event", "must look like evt_"],
    ["source=nobody", "?source", "must be the name or the id of a source"],
    ["event_type=%00", "?event_type", "must not contain a NUL"],
    ["type=batch.*", "?type", "is not a parameter of this path"],
    ["since=x", "?since", "must be a time of RFC 3339"],
  ] as const)("refuses %s and names %s", async ([query, pointer, detail], { api }) => {
    const answer = await list(api, `?${query}`);
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
    expect(answer.body.errors[0].detail).toContain(detail);
  });
});
