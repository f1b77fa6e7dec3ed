// Reads the lists page by page while transactions store rows, commit in any order, and store rows whose ids are old. fast-check
// prints the seed of a run that fails.

import fc from "fast-check";
import { describe, expect } from "vitest";

import { formatId, type IdPrefix, idFloor, newId } from "@sluice/shared/domain/ids";
import { readRevision } from "@sluice/store/connection/configuration-revision";
import type { Database } from "@sluice/store/connection/database";
import { recordAttempts } from "@sluice/store/delivery/deliveries";
import { replayTo } from "@sluice/store/delivery/replay";
import { storeEvents } from "@sluice/store/delivery/store-events";
import { insertRejections } from "@sluice/store/log/rejections";
import { recordChange } from "@sluice/store/requests/audit";

import { seedEvent, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { openTransaction } from "../../../../../tests/support/open-transaction.ts";
import { makeAttempt, makeDelivery, makeEvent, newLease } from "../../../../../tests/support/seed.ts";

const LISTS = ["events", "deliveries", "attempts", "rejections", "audit"] as const;
type List = (typeof LISTS)[number];
const PREFIXES: Record<List, IdPrefix> = {
  events: "evt",
  deliveries: "dlv",
  attempts: "att",
  rejections: "rej",
  audit: "aud",
};
const RUNS = 200;

/** The ids of `count` rows, made now or, as those of events that waited in a queue, half a minute ago. */
const makeIds = (count: number, isOld: boolean) =>
  Array.from({ length: count }, () =>
    isOld ? idFloor(Date.now() - 30_000).slice(0, 14) + newId().slice(14) : newId(),
  );

/** Stores rows of a list that a run finds again by its filter. @returns their ids. */
type Store = (on: Database, ids: readonly string[]) => Promise<string[]>;

async function makeStore(api: TestApi, list: List): Promise<{ store: Store; filter: string }> {
  const sourceId = newId();
  const filter = `source=${formatId("src", sourceId)}`;
  if (list === "rejections") {
    const store: Store = async (on, ids) => {
      const fields = { sourceId, reason: "signature_mismatch", detail: "x", weight: 1, sizeBytes: 1 } as const;
      await insertRejections(
        on,
        ids.map((id) => ({ id, ...fields, webhookId: null, remoteAddress: null })),
      );
      return [...ids];
    };
    return { store, filter };
  }
  if (list === "audit") {
    const resourceId = formatId("tgt", newId());
    const author = { keyId: null, keyName: "k", remoteAddress: null, requestId: "r" };
    const store: Store = async (on, ids) => {
      for (const _ of ids) await recordChange(on, author, { action: "target.updated", resourceId });
      const { rows } = await on.pool.query<{ id: string }>({
        text: "SELECT id FROM audit WHERE resource_id = $1 AND xmin = pg_current_xact_id()::xid",
        values: [resourceId],
      });
      return rows.map(({ id }) => id);
    };
    return { store, filter: `resource=${resourceId}` };
  }
  const targetId = newId();
  const { deliveryIds } = await seedEvent(api, [targetId], { sourceId: newId() });
  const store: Store = async (on, ids) => {
    if (list === "attempts") {
      const attempts = ids.map((id) => makeAttempt(deliveryIds[0] ?? "", { id }));
      await recordAttempts(on, attempts, newId());
      return [...ids];
    }
    const events = ids.map((id) => makeEvent({ id, sourceId }));
    const deliveries = events.map((event) => makeDelivery(event, targetId));
    await storeEvents(on, await readRevision(on, "targets"), events, deliveries, newLease());
    if (list === "events") return [...ids];
    // A replay makes deliveries of events that are there already.
    const replayed = events.map((event) => makeDelivery(event, newId()));
    await replayTo(on, replayed, "free");
    return [...deliveries, ...replayed].map(({ id }) => id);
  };
  return { store, filter: list === "attempts" ? `delivery=${formatId("dlv", deliveryIds[0] ?? "")}` : filter };
}

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("begin" as const), count: fc.integer({ min: 1, max: 4 }), isOld: fc.boolean() }),
    fc.record({ kind: fc.constant("commit" as const), index: fc.nat(3) }),
    fc.record({ kind: fc.constant("read" as const) }),
  ),
  { minLength: 6, maxLength: 14 },
);

interface Run {
  list: List;
  limit: number;
  plan: typeof steps extends fc.Arbitrary<infer Steps> ? Steps : never;
}

/**
 * Carries out a run.
 * @param read reads a page. Gets the ids of the rows that are committed.
 */
async function carryOut(
  api: TestApi,
  store: Store,
  plan: Run["plan"],
  read: (there: readonly string[]) => Promise<unknown>,
) {
  const open: { ids: string[]; commit: () => Promise<void> }[] = [];
  const there: string[] = [];
  const commit = async (index: number) => {
    const [transaction] = open.splice(index % open.length, 1);
    await transaction?.commit();
    there.push(...(transaction?.ids ?? []));
  };
  for (const step of plan) {
    if (step.kind === "read") await read(there);
    else if (step.kind === "commit") await commit(step.index);
    else {
      if (open.length === 4) await commit(0);
      const { tx, commit: end } = await openTransaction(api.db);
      open.push({ ids: await store(tx, makeIds(step.count, step.isOld)), commit: end });
    }
  }
  while (open.length > 0) await commit(0);
  return there;
}

const run = fc.record<Run>({
  list: fc.constantFrom(...LISTS),
  limit: fc.integer({ min: 1, max: 5 }),
  plan: steps,
});

describe("paging while rows are stored", () => {
  test("oldest first, a reader that comes back gets every row once, however late it is committed", async ({ api }) => {
    await fc.assert(
      fc.asyncProperty(run, async ({ list, limit, plan }) => {
        const { store, filter } = await makeStore(api, list);
        const read: string[] = [];
        let cursor = "";
        const readPage = async (): Promise<boolean> => {
          const { body } = await api.call("GET", `/v1/${list}?order=oldest&limit=${limit}&${filter}${cursor}`);
          expect(body.data.length).toBeLessThanOrEqual(limit);
          read.push(...(body.data as { id: string }[]).map(({ id }) => id));
          cursor = `&cursor=${body.resume_cursor}`;
          return body.next_cursor !== null;
        };
        const there = await carryOut(api, store, plan, readPage);
        while (await readPage());
        expect(read.toSorted()).toEqual(there.map((id) => formatId(PREFIXES[list], id)).toSorted());
      }),
      { numRuns: RUNS / 2 },
    );
  });

  test.for(LISTS)(
    "a late row of the list of %s that is outside of the time range is not given",
    async (list, { api }) => {
      const { store, filter } = await makeStore(api, list);
      const { tx, commit } = await openTransaction(api.db);
      await store(tx, makeIds(2, false));
      const dayMs = 86_400_000;
      const [past, future] = [-dayMs, dayMs].map((ms) => new Date(Date.now() + ms).toISOString());
      const paths = [`until=${past}`, `since=${future}`, `since=${past}`].map(
        (times) => `/v1/${list}?order=oldest&${filter}&${times}`,
      );
      const cursors: string[] = [];
      for (const path of paths) cursors.push((await api.call("GET", path)).body.resume_cursor);
      await commit();
      const counts: number[] = [];
      for (const [index, path] of paths.entries())
        counts.push((await api.call("GET", `${path}&cursor=${cursors[index]}`)).body.data.length);
      expect(counts).toEqual([0, 0, list === "deliveries" ? 4 : 2]);
    },
  );

  test("newest first, a walk gives every row once that was there when it began", async ({ api }) => {
    await fc.assert(
      fc.asyncProperty(run, async ({ list, limit, plan }) => {
        const { store, filter } = await makeStore(api, list);
        const read: string[] = [];
        let before: string[] | undefined;
        const next: { cursor: string | null } = { cursor: "" };
        const readPage = async (there: readonly string[]) => {
          if (next.cursor === null) return;
          before ??= [...there];
          const { body } = await api.call("GET", `/v1/${list}?limit=${limit}&${filter}${next.cursor}`);
          read.push(...(body.data as { id: string }[]).map(({ id }) => id));
          next.cursor = body.next_cursor === null ? null : `&cursor=${body.next_cursor}`;
        };
        const there = await carryOut(api, store, plan, readPage);
        while (next.cursor !== null) await readPage(there);
        expect(new Set(read).size).toBe(read.length);
        expect(read).toEqual(read.toSorted().toReversed());
        expect(read).toEqual(expect.arrayContaining((before ?? []).map((id) => formatId(PREFIXES[list], id))));
      }),
      { numRuns: RUNS / 2 },
    );
  });
});
