// /v1/tail: what is refused, and what a client that takes nothing comes to. What it shows is tested over real connections.

import { describe, expect, onTestFinished } from "vitest";

import { openLog } from "@sluice/shared/runtime/log";

import { ADMIN_KEY, createTestApi, pointersOf, seedEvent, test } from "../../../../../tests/support/api/test-api.ts";
import { until } from "../../../../../tests/support/wait.ts";
import { createApi } from "../api.ts";
import { Tails } from "./tails.ts";

const headers = { authorization: `Bearer ${ADMIN_KEY}` };
const log = openLog("gateway", "silent");

describe("GET /v1/tail", () => {
  test.for(["yesterday", "1_1:1", "1_9:1:", "1795000000000_99999999999999999999:99999999999999999999:", "1_3:3:"])(
    "refuses the last event id %s, in the header and as a parameter",
    async (id, { api }) => {
      const given = await api.call("GET", "/v1/tail", { headers: { "last-event-id": id } });
      expect(given).toMatchObject({ status: 400, body: { code: "invalid_cursor" } });
      const answer = await api.call("GET", `/v1/tail?last_event_id=${id}`);
      expect(pointersOf(answer)).toEqual(["Last-Event-ID"]);
    },
  );

  test.for([
    ["kind=rejection", "?kind"],
    ["status=lost", "?status"],
    ["target=nothing", "?target"],
    ["cursor=abc", "?cursor"],
  ])("refuses %s", async ([query, pointer = ""], { api }) => {
    const answer = await api.call("GET", `/v1/tail?${query}`);
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
  });

  test("refuses more clients than there may be, until one has left; HEAD takes no place", async ({ api }) => {
    const tails = new Tails({ db: api.db, log, maxTails: 1 });
    onTestFinished(() => tails.close());
    const app = createApi({ ...api, tails });
    expect((await app.request("/v1/tail", { method: "HEAD", headers })).status).toBe(200);
    const first = await app.request("/v1/tail", { headers });
    expect(first.headers.get("content-type")).toContain("text/event-stream");
    const refused = await app.request("/v1/tail", { headers });
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("10");
    await first.body?.cancel();
    const second = await app.request("/v1/tail", { headers });
    expect(second.status).toBe(200);
    await second.body?.cancel();
  });

  test("tells a client that takes nothing so, and lets it go", async ({ api }) => {
    const tails = new Tails({ db: api.db, log, maxTails: 1, stuckMs: 50 });
    const other = await createTestApi(api.db, { tails });
    const reader = (await createApi(other).request("/v1/tail", { headers })).body?.getReader();
    const decoder = new TextDecoder();
    expect(decoder.decode((await reader?.read())?.value)).toMatch(/^retry: 2000\nid: \d+_/);
    await seedEvent(api);
    // It has gone when there is room for another.
    await until(() => (tails.requireRoom(), true));
    expect(decoder.decode((await reader?.read())?.value)).toMatch(/^event: overflow\n/);
    expect((await reader?.read())?.done).toBe(true);
    tails.close();
    expect(() => tails.requireRoom()).toThrow("live tails");
  });
});
