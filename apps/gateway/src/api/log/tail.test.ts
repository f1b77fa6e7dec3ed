// /v1/tail: what it refuses, and what happens to a client that takes nothing. tests/tail.test.ts tests what it shows,
// over real connections.

import { describe, expect, onTestFinished } from "vitest";

import { openLog } from "@sluice/shared/runtime/log";
import { currentPosition, parsePosition, writePosition } from "@sluice/store/journal/changes";

import {
  ADMIN_KEY,
  createTestApi,
  pointersOf,
  seedEvent,
  storeKey,
  test,
} from "../../../../../tests/support/api/test-api.ts";
import { until } from "../../../../../tests/support/wait.ts";
import { createApi } from "../api.ts";
import { TAIL_LIMITS, Tails } from "./tails.ts";

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

  test("refuses its own last event id with any character changed, and takes one of the version before", async ({
    api,
  }) => {
    const position = await currentPosition(api.db);
    const part = { to: "5:9:5,7", xid: "7", id: "12" };
    // Many positions: one checksum of 43 has only digits as hexadecimal number, and would be confused with a number.
    const many = Array.from({ length: 150 }, (_, at) => ({ takenAtMs: 1_795_000_000_000 + at, from: "5:9:5,7" }));
    for (const one of [position, ...many, ...many.map((without) => ({ ...without, part }))]) {
      const id = writePosition(one);
      expect(parsePosition(id)).toEqual({ ...one, takenAtMs: Math.floor(one.takenAtMs) });
      for (let at = 0; at < id.length; at++) {
        for (const letter of "0123456789abefpP:,_~".replace(id.charAt(at), "")) {
          expect(parsePosition(id.slice(0, at) + letter + id.slice(at + 1)), id).toBeUndefined();
        }
      }
    }
    const id = writePosition(position);
    const follow = async (lastEventId: string) =>
      (await api.call("HEAD", "/v1/tail", { headers: { "last-event-id": lastEventId } })).status;
    expect(await follow(id)).toBe(200);
    expect(await follow(id.replace(/~.*$/, ""))).toBe(200);
    expect(await follow(id.replace(/\d(?=:)/, (digit) => String((Number(digit) + 1) % 10)))).toBe(400);
  });

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

  test("ends after for_seconds, with its position as the first message", async ({ api }) => {
    const answer = await createApi(api).request("/v1/tail?for_seconds=1", { headers });
    expect(await answer.text()).toMatch(/^retry: \d+\nid: \S+\n\n/);
    for (const seconds of ["0", "86401", "1.5", "soon"]) {
      expect(pointersOf(await api.call("GET", `/v1/tail?for_seconds=${seconds}`))).toEqual(["?for_seconds"]);
    }
  });

  test("refuses a client beyond the maximum until another one leaves, and does not count HEAD", async ({ api }) => {
    const tails = new Tails({ db: api.db, log, limits: { ...TAIL_LIMITS, maxTails: 1 } });
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

  test("one key holds a part of the tails, and other keys the rest", async ({ api }) => {
    const tails = new Tails({ db: api.db, log, limits: { ...TAIL_LIMITS, maxTails: 4, maxTailsOfKey: 1 } });
    onTestFinished(() => tails.close());
    const app = createApi({ ...api, tails });
    const keys = [await storeKey(api, ["read"]), await storeKey(api, ["read"])];
    const openTail = (key = "") => app.request("/v1/tail", { headers: { authorization: `Bearer ${key}` } });
    for (const key of keys) expect((await openTail(key)).status).toBe(200);
    const refused = await openTail(keys[0]);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ detail: expect.stringContaining("Your API key has 1 live tails") });
  });

  test.for([
    ["revoked", "UPDATE api_keys SET revoked_at = now() WHERE name LIKE 'of write %'"],
    ["expired", "UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE name LIKE 'of write %'"],
  ])("a tail ends soon after its key is %s", async ([, change], { api }) => {
    const tails = new Tails({ db: api.db, log, limits: { ...TAIL_LIMITS, recheckMs: 0 } });
    onTestFinished(() => tails.close());
    const key = await storeKey(api, ["write"]);
    const answer = await createApi({ ...api, tails }).request("/v1/tail", {
      headers: { authorization: `Bearer ${key}` },
    });
    const reader = answer.body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    await api.db.pool.query(String(change));
    await seedEvent(api);
    expect(await reader?.read()).toMatchObject({ done: true });
  });

  test("sends `overflow` to a client that takes nothing, and disconnects it", async ({ api }) => {
    const tails = new Tails({ db: api.db, log, limits: { ...TAIL_LIMITS, maxTails: 1, stuckMs: 50 } });
    const other = await createTestApi(api.db, { tails });
    const reader = (await createApi(other).request("/v1/tail", { headers })).body?.getReader();
    const decoder = new TextDecoder();
    expect(decoder.decode((await reader?.read())?.value)).toMatch(/^retry: 2000\nid: \d+_/);
    await seedEvent(api);
    // There is room for another client only when this one is disconnected.
    await until(() => (tails.requireRoom(null), true));
    expect(decoder.decode((await reader?.read())?.value)).toMatch(/^event: overflow\n/);
    expect((await reader?.read())?.done).toBe(true);
    tails.close();
    expect(() => tails.requireRoom(null)).toThrow("live tails");
  });
});
