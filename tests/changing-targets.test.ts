// A script that changes targets all the time does not keep events from being stored and delivered.

import { setTimeout as delay } from "node:timers/promises";

import { expect } from "vitest";

import { relayTest } from "./support/relay.ts";
import { seedTarget } from "./support/seed.ts";

const TARGETS = 1_200;
const EVENTS = 60;
const CHANGERS = 4;

const test = relayTest({ withoutWorker: true });

test("events are delivered while 1,200 targets are changed as fast as PostgreSQL can", async ({ relay, receiver }) => {
  const { db } = relay.database;
  const id = await seedTarget(db, { subscribedEvents: ["video.*"] });
  // The copies have no secret that this relay's master key could open.
  await db.pool.query(
    `INSERT INTO targets (id, name, uri, subscribed_events, timeout_seconds, max_in_flight, retry_base_seconds,
       retry_cap_seconds, retry_horizon_seconds)
     SELECT gen_random_uuid(), name || number, uri, subscribed_events, timeout_seconds, max_in_flight, retry_base_seconds,
       retry_cap_seconds, retry_horizon_seconds FROM targets, generate_series(1, $1) AS number WHERE id = $2`,
    [TARGETS, id],
  );
  await db.pool.query("DELETE FROM targets WHERE id = $1", [id]);
  await relay.createTarget(receiver);
  const { rows } = await db.pool.query<{ id: string }>("SELECT id FROM targets ORDER BY id");
  const worker = await relay.startWorker();
  let changes = 0;
  const ended = new AbortController();
  const change = async () => {
    while (!ended.signal.aborted) {
      changes += 1;
      const target = rows[changes % rows.length]?.id;
      await db.pool.query("UPDATE targets SET updated_at = now() WHERE id = $1", [target]);
    }
  };
  const changing = Promise.all(Array.from({ length: CHANGERS }, change));
  try {
    for (let sent = 0; sent < EVENTS; sent++) {
      await relay.sendEvent();
      // Many jobs, and not a few large ones.
      await delay(1);
    }
    await receiver.waitFor(EVENTS);
    expect(changes).toBeGreaterThan(EVENTS);
  } finally {
    ended.abort();
    await changing;
    await worker.stop();
  }
});
