// Walks lists with budgets so small that nearly every page ends early, and compares with a plain reading of the table.

import { asc, sql, and } from "drizzle-orm";
import fc from "fast-check";
import { describe, expect } from "vitest";

import { idFloor, idTime, newId } from "@sluice/shared/domain/ids";

import { test } from "../../../../tests/support/database.ts";
import { makeAttempt, makeDelivery, makeEvent } from "../../../../tests/support/seed.ts";
import { readRevision } from "../connection/configuration-revision.ts";
import type { Database } from "../connection/database.ts";
import { DAY_MS, ensurePartitions } from "../connection/partitions.ts";
import { recordAttempts } from "../delivery/deliveries.ts";
import { storeEvents } from "../delivery/store-events.ts";
import { deliveries, type DeliveryStatus } from "../schema.ts";
import { type DeliveryFilter, deliveryConditions } from "./log-filter.ts";
import type { Order } from "./page.ts";
import { attemptSearch, deliverySearch, eventSearch } from "./records.ts";
import { search, type Search } from "./search.ts";
import { isShownWithin } from "./shown-time.ts";
import { pruneStrays } from "./stray-deliveries.ts";

const SOURCES = [newId(), newId()];
const TARGETS = [newId(), newId(), newId()];
const TYPES = ["batch.succeeded", "batch.failed", "video.generated", null];
const workerId = newId();
const tiny = { rows: 7, lookUps: 3 };

const DAYS = 5;

/** Makes an id of a moment in the last days, of which a search reads the newest first. */
function someId(ageMs = Math.random() * DAYS * DAY_MS): string {
  return idFloor(Date.now() - ageMs).slice(0, 14) + newId().slice(14);
}

const pick = <T>(list: readonly T[], n: number) => list[n % list.length] as T;

const makeDays = (db: Database) => ensurePartitions(db, Date.now() - (DAYS + 1) * DAY_MS, Date.now());

/** Stores the nth event of a test with a delivery to one or two targets, and mostly an attempt of each. */
async function store(db: Database, n: number, id = someId()): Promise<void> {
  const event = makeEvent({
    id,
    sourceId: pick(SOURCES, n),
    type: pick(TYPES, n),
    labels: n % 3 === 0 ? { team: n % 2 === 0 ? "a" : "b" } : null,
    userMetadata: n % 5 === 0 ? { job: n % 10 } : null,
    dataId: `batch_${n % 6}`,
  });
  const targets = n % 2 === 0 ? [pick(TARGETS, n)] : [pick(TARGETS, n), pick(TARGETS, n + 1)];
  const made = targets.map((target) => makeDelivery(event, target, { leased: true }));
  await storeEvents(db, await readRevision(db, "targets"), [event], made, { workerId, durationMs: 600_000 });
  for (const delivery of made) await attempt(db, delivery.id, n);
}

async function attempt(db: Database, id: string, n: number, number = 1): Promise<void> {
  const outcomes = [
    { statusCode: 200, next: { status: "succeeded" as const } },
    { statusCode: 503, next: { status: "pending" as const, retryInMs: 1e6 } },
    { statusCode: 404, next: { status: "exhausted" as const } },
    { statusCode: null, error: "connection: Refused", next: { status: "exhausted" as const } },
  ];
  if (n % 5 < 4) {
    // The first attempt begins with its delivery; the others begin days later.
    const attemptId = someId(number === 1 ? Date.now() - idTime(id) : 0);
    await recordAttempts(db, [makeAttempt(id, { id: attemptId, number, ...pick(outcomes, n) })], workerId);
  }
}

/** Walks to the end of a list. @param between runs after each page. */
async function walk(
  db: Database,
  list: Search,
  order: Order,
  limit: number,
  between: () => Promise<void>,
  times: TimeRange = {},
): Promise<string[]> {
  const walked: string[] = [];
  for (let afterId: string | undefined; ;) {
    const { ids, searchedTo } = await search(db, list, { limit, order, afterId, ...times }, tiny);
    walked.push(...ids);
    expect(ids.length).toBeLessThanOrEqual(limit);
    const next = ids.length === limit ? ids.at(-1) : searchedTo;
    if (next === undefined) return walked;
    if (afterId !== undefined) expect(order === "newest" ? next < afterId : next > afterId).toBe(true);
    afterId = next;
    await between();
  }
}

const filters = fc.record<DeliveryFilter>(
  {
    sourceId: fc.constantFrom(...SOURCES, newId()),
    eventType: fc.constantFrom("batch.*", "batch.completed", "video.*", "none.*"),
    label: fc.constantFrom({ key: "team", value: "a" }, { key: "team", value: "c" }),
    userMetadata: fc.constantFrom({ key: "job" }, { key: "job", value: "0" }, { key: "other" }),
    dataId: fc.constantFrom("batch_1", "batch_4"),
    targetId: fc.constantFrom(...TARGETS),
    statuses: fc.subarray<DeliveryStatus>(["pending", "succeeded", "exhausted", "cancelled"], { minLength: 1 }),
    statusCode: fc.constantFrom(
      { codes: [503], classes: [], none: false },
      { codes: [], classes: [4, 5], none: true },
      { codes: [200], classes: [], none: false },
    ),
    errorText: fc.constantFrom("refused", "%", "nothing"),
    minAttempts: fc.constantFrom(1, 2),
  },
  { requiredKeys: [] },
);

const order = fc.constantFrom<Order>("newest", "oldest");

interface TimeRange {
  sinceMs?: number;
  untilMs?: number;
}

describe("search", () => {
  test("however filters combine, a walk gives what a reading of the whole table gives, in order", async ({
    database: { db },
  }) => {
    await makeDays(db);
    for (let n = 0; n < 40; n++) await store(db, n);
    await fc.assert(
      fc.asyncProperty(filters, order, fc.integer({ min: 1, max: 9 }), async (filter, direction, limit) => {
        const { own, lookedUp } = deliveryConditions(filter);
        const rows = await db.orm
          .select({ id: deliveries.id })
          .from(deliveries)
          .where(and(...own, ...lookedUp))
          .orderBy(asc(deliveries.id));
        const expected = rows.map(({ id }) => id);
        const walked = await walk(db, deliverySearch(db, filter), direction, limit, async () => {});
        expect(walked).toEqual(direction === "oldest" ? expected : expected.toReversed());
        const { statuses: _, ...others } = filter;
        for (const [table, list] of [
          ["events", eventSearch(db, filter)],
          ["attempts", attemptSearch(db, others)],
        ] as const) {
          const matches = and(sql`true`, ...list.conditions.own, ...list.conditions.lookedUp);
          const whole = await db.orm.execute<{ id: string }>(
            sql`SELECT id FROM ${list.table} WHERE ${matches} ORDER BY id`,
          );
          const ids = whole.rows.map(({ id }) => id);
          const found = await walk(db, list, direction, limit, async () => {});
          expect(found, table).toEqual(direction === "oldest" ? ids : ids.toReversed());
        }
      }),
      { numRuns: 20 },
    );
  });

  test("a walk through a time range gives the deliveries that were created in it, and pruned strays are forgotten", async ({
    database: { db },
  }) => {
    await makeDays(db);
    const startMs = Date.now();
    for (let n = 200; n < 240; n++) await store(db, n);
    const stored = await db.orm.execute<{ created: number }>(
      sql`SELECT extract(epoch FROM created_at)::float8 * 1000 AS created FROM deliveries WHERE created_at >= ${new Date(startMs)}`,
    );
    const moments = stored.rows.map(({ created }) => created);
    const range = fc
      .record({ since: fc.option(fc.constantFrom(...moments)), until: fc.option(fc.constantFrom(...moments)) })
      .map(({ since, until }): TimeRange => ({
        ...(since !== null && { sinceMs: Math.floor(since) }),
        ...(until !== null && { untilMs: Math.floor(until) }),
      }));
    await fc.assert(
      fc.asyncProperty(filters, order, fc.integer({ min: 1, max: 9 }), range, async (filter, direction, limit, at) => {
        const { own, lookedUp } = deliveryConditions(filter);
        const rows = await db.orm
          .select({ id: deliveries.id })
          .from(deliveries)
          .where(and(...own, ...lookedUp, isShownWithin(deliverySearch(db, filter), { limit, ...at })))
          .orderBy(asc(deliveries.id));
        const expected = rows.map(({ id }) => id);
        const walked = await walk(db, deliverySearch(db, filter), direction, limit, async () => {}, at);
        expect(walked).toEqual(direction === "oldest" ? expected : expected.toReversed());
      }),
      { numRuns: 40 },
    );
    const strays = async () => (await db.pool.query("SELECT FROM stray_deliveries")).rowCount;
    expect(await strays()).toBeGreaterThan(30);
    await pruneStrays(db, 0);
    expect(await strays()).toBeGreaterThan(30);
    await pruneStrays(db, Date.now());
    expect(await strays()).toBe(0);
  });

  test("while rows come and change, a walk skips no row that was there all the time, and gives no row twice", async ({
    database: { db },
  }) => {
    await makeDays(db);
    let n = 100;
    for (; n < 130; n++) await store(db, n);
    const immutable = filters.map(({ sourceId, eventType, label, targetId }) => ({
      sourceId,
      eventType,
      label,
      targetId,
    }));
    await fc.assert(
      fc.asyncProperty(immutable, order, fc.integer({ min: 1, max: 9 }), async (filter, direction, limit) => {
        for (const find of [deliverySearch, eventSearch, attemptSearch]) {
          const list = find(db, filter);
          const matches = and(sql`true`, ...list.conditions.own, ...list.conditions.lookedUp);
          const before = await db.orm.execute<{ id: string }>(
            sql`SELECT id FROM ${list.table} WHERE ${matches} ORDER BY id`,
          );
          let changes = 0;
          const walked = await walk(db, list, direction, limit, async () => {
            // At most five: with new rows after each page, a walk to the newest would never end.
            if (changes++ < 5) await store(db, n++, newId());
            await attempt(db, pick(before.rows, n)?.id ?? newId(), 1, 2);
          });
          expect(new Set(walked).size).toBe(walked.length);
          expect(walked).toEqual(expect.arrayContaining(before.rows.map(({ id }) => id)));
          expect(walked).toEqual(direction === "oldest" ? walked.toSorted() : walked.toSorted().toReversed());
        }
      }),
      { numRuns: 4 },
    );
  });
});
