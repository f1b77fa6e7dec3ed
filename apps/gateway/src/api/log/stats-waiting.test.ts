// /v1/stats/waiting: the shape of the answer, and what is refused.

import { describe, expect } from "vitest";

import { parseId } from "@sluice/shared/domain/ids";
import { countChanges } from "@sluice/store/journal/stats-count";
import { sampleWaiting } from "@sluice/store/journal/waiting-samples";

import { pointersOf, seedEvent, test } from "../../../../../tests/support/api/test-api.ts";
import { seedTarget } from "../../../../../tests/support/seed.ts";

describe("GET /v1/stats/waiting", () => {
  test("returns what waited for each target, and for all others together", async ({ api }) => {
    const targetId = await seedTarget(api.db);
    await seedEvent(api, [targetId]);
    await countChanges(api.db);
    await sampleWaiting(api.db);
    for (const interval of ["minute", "ten_minutes", "hour", "six_hours", "day"]) {
      const answer = await api.call("GET", `/v1/stats/waiting?interval=${interval}&targets=3`);
      expect(answer.status).toBe(200);
      const row = { start: expect.stringMatching(/:00\.000Z$/), waiting: 1, oldest_seconds: expect.any(Number) };
      expect(answer.body.data).toEqual([
        { ...row, target: expect.stringMatching(/^tgt_/) },
        { ...row, target: null, waiting: 0, oldest_seconds: 0 },
      ]);
      expect(parseId("tgt", answer.body.data[0].target, "target")).toBe(targetId);
    }
    const past = await api.call("GET", "/v1/stats/waiting?until=2026-01-01T00:00:00Z");
    expect(past.body).toEqual({ since: "2025-12-31T00:00:00.000Z", until: "2026-01-01T00:00:00.000Z", data: [] });
  });

  test.for([
    ["interval=week", "?interval"],
    ["interval=ten_minutes&since=2026-01-01T00:00:00Z&until=2026-01-03T00:00:00Z", "?since"],
    ["targets=0", "?targets"],
    ["targets=51", "?targets"],
    ["target=src_01h455vb4pex5vsknk084sn02q", "?target"],
    ["group_by=target", "?group_by"],
  ])("refuses %s", async ([query, pointer = ""], { api }) => {
    const answer = await api.call("GET", `/v1/stats/waiting?${query}`);
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
  });
});
