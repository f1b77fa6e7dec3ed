// The dedupe ledger forgets old events, and only those.

import { expect } from "vitest";

import { idFloor } from "@sluice/shared/domain/ids";

import { test } from "../../../../tests/support/database.ts";
import { makeEvent, newLease } from "../../../../tests/support/seed.ts";
import { readRevision } from "../connection/configuration-revision.ts";
import type { Database } from "../connection/database.ts";
import { withPartitions } from "../connection/partitions.ts";
import { pruneLedger } from "./ledger.ts";
import { storeEvents } from "./store-events.ts";

const noonOf = (day: string) => Date.parse(`${day}T12:00:00Z`);

async function storeOn(db: Database, ms: number) {
  const event = makeEvent({ id: idFloor(ms) });
  const revision = await readRevision(db, "targets");
  await withPartitions(db, [event.id], () => storeEvents(db, revision, [event], [], newLease()));
  return event;
}

test("pruneLedger deletes the entries of old events and no others", async ({ database: { db } }) => {
  const old = await storeOn(db, noonOf("2017-01-01"));
  const young = await storeOn(db, noonOf("2017-01-02"));
  expect(await pruneLedger(db, noonOf("2017-01-02"))).toBe(1);
  const { rows } = await db.pool.query("SELECT event_id FROM event_keys WHERE event_id = ANY($1)", [
    [old.id, young.id],
  ]);
  expect(rows).toEqual([{ event_id: young.id }]);
});
