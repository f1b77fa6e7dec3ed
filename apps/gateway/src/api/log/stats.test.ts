// /v1/stats: the shape of the answer, and what is refused. packages/store/src/journal/stats.test.ts tests that the
// figures are exact.

import { describe, expect } from "vitest";

import { parseId } from "@sluice/shared/domain/ids";
import { countChanges } from "@sluice/store/journal/stats-count";

import { pointersOf, recordAttempt, seedEvent, test } from "../../../../../tests/support/api/test-api.ts";
import { seedTarget } from "../../../../../tests/support/seed.ts";

const sumAttempts = (rows: { attempts: { succeeded: number; failed: number } }[]) =>
  rows.reduce((total, { attempts }) => total + attempts.succeeded + attempts.failed, 0);

describe("GET /v1/stats", () => {
  test("returns figures by target, source and type, and the deliveries that wait", async ({ api }) => {
    const targetId = await seedTarget(api.db);
    const [done, waits] = [await seedEvent(api, [targetId]), await seedEvent(api, [targetId], { type: null })];
    await recordAttempt(api, done.deliveryIds[0] ?? "", { status: "succeeded" }, { statusCode: 200, durationMs: 100 });
    await recordAttempt(api, waits.deliveryIds[0] ?? "", { status: "pending", retryInMs: 60_000 });
    await countChanges(api.db);

    const byTarget = await api.call("GET", "/v1/stats");
    expect(byTarget.status).toBe(200);
    expect(sumAttempts(byTarget.body.data)).toBe(2);
    const [waiting] = byTarget.body.now.waiting;
    expect(byTarget.body.now).toEqual({ waiting: [waiting], queue: { postgres: 0 } });
    expect(waiting.count).toBe(1);
    expect(parseId("tgt", waiting.target, "target")).toBe(targetId);
    expect(byTarget.body.data[0]).toMatchObject({ group: waiting.target, events: null });

    const byType = await api.call("GET", `/v1/stats?group_by=event_type&interval=day&source=gemini`);
    expect(byType.body.data).toEqual([
      {
        start: expect.stringMatching(/T00:00:00.000Z$/),
        group: "batch.succeeded",
        events: 1,
        deliveries: { created: 1, succeeded: 1, exhausted: 0, cancelled: 0, retried: 0 },
        attempts: { succeeded: 1, failed: 0 },
        latency_ms: { p50: 89.1, p90: 89.1, p99: 89.1 },
      },
      expect.objectContaining({ group: null, events: 1, attempts: { succeeded: 0, failed: 1 } }),
    ]);

    const filtered = `/v1/stats?group_by=source&interval=minute&target=${waiting.target}&event_type=batch.*`;
    expect(sumAttempts((await api.call("GET", filtered)).body.data)).toBe(1);
  });

  test("shows the whole of the interval that the range begins in", async ({ api }) => {
    const answer = await api.call("GET", "/v1/stats?since=2026-01-22T12:34:56Z&until=2026-01-22T13:00:00Z");
    expect(answer.body).toMatchObject({
      since: "2026-01-22T12:00:00.000Z",
      until: "2026-01-22T13:00:00.000Z",
      data: [],
    });
  });

  test.for([
    ["group_by=webhook", "?group_by"],
    ["interval=week", "?interval"],
    ["interval=minute&since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z", "?since"],
    ["since=yesterday", "?since"],
    ["source=nobody", "?source"],
    ["target=src_01h455vb4pex5vsknk084sn02q", "?target"],
    ["type=batch.succeeded", "?type"],
  ])("refuses %s", async ([query, pointer = ""], { api }) => {
    const answer = await api.call("GET", `/v1/stats?${query}`);
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
  });

  test("returns nothing for a target that does not exist", async ({ api }) => {
    const id = (await api.call("GET", "/v1/stats")).body.now.waiting[0].target.slice(0, -4) + "zzzz";
    const answer = await api.call("GET", `/v1/stats?target=${id}`);
    expect(answer.body).toMatchObject({ data: [], now: { waiting: [] } });
  });
});
