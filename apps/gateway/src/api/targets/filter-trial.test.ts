// POST /v1/targets:try-filter: it says of each of the newest events what a target with this filter would get, and stores nothing.

import { expect } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";

import { pointersOf, seedEvent, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";

const tryFilter = (api: TestApi, body: object) => api.call("POST", "/v1/targets:try-filter", { body });

/** @returns the id of the event, which is the newest. */
async function storeEvent(api: TestApi, type: string, data: object): Promise<string> {
  const { eventId } = await seedEvent(api, [], { type, body: Buffer.from(JSON.stringify({ type, data })) });
  return formatId("evt", eventId);
}

const makeType = () => `tried.${newId()}`;

test("says of each event whether the filter matches, fails, or is not asked", async ({ api }) => {
  const type = makeType();
  const events = {
    not_subscribed: await storeEvent(api, makeType(), { n: 1 }),
    failed: await storeEvent(api, type, {}),
    not_matched: await storeEvent(api, type, { n: 0 }),
    matched: await storeEvent(api, type, { n: 1 }),
  };
  const { status, body } = await tryFilter(api, { filter: "event.data.n == 1", subscribed_events: [type] });
  expect(status).toBe(200);
  for (const [result, event] of Object.entries(events)) {
    expect(body.data).toContainEqual(expect.objectContaining({ event, result }));
  }
  expect(body).toMatchObject({ matched: 1, failed: 1 });
  const failed = body.data.find(({ event }: { event: string }) => event === events.failed);
  expect(failed.error).toBe('no such key: "n"');
});

test("without a filter, the subscription decides, and `limit` bounds the events", async ({ api }) => {
  const type = makeType();
  await storeEvent(api, type, {});
  const newest = await storeEvent(api, type, {});
  const { body } = await tryFilter(api, { filter: null, subscribed_events: [type], limit: 1 });
  expect(body).toMatchObject({
    matched: 1,
    failed: 0,
    data: [{ event: newest, type, result: "matched", error: null }],
  });
});

test("trials at once take turns, so that many of them leave the gateway as much time as one does", async ({ api }) => {
  const type = makeType();
  for (let n = 0; n < 40; n++) await storeEvent(api, type, { list: Array.from({ length: 500 }, () => n) });
  const order: string[] = [];
  const slow = "event.data.list.exists(x, event.data.list.exists(y, x + y < 0))";
  await Promise.all([
    tryFilter(api, { filter: slow, subscribed_events: [type] }).then(() => order.push("slow")),
    tryFilter(api, { filter: null, limit: 1 }).then(() => order.push("quick")),
  ]);
  expect(order).toEqual(["slow", "quick"]);
});

test("names the place of a fault in the filter", async ({ api }) => {
  const answer = await tryFilter(api, { filter: "event.type ==" });
  expect(answer.status).toBe(400);
  expect(pointersOf(answer)).toEqual(["/filter"]);
});
