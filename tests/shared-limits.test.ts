// The limits of a target hold for all workers together, while workers come and go, and are reached.

import { setTimeout as delay } from "node:timers/promises";

import { expect, onTestFinished } from "vitest";

import { newId, parseId } from "@sluice/shared/domain/ids";
import type { Worker } from "@sluice/worker/worker";

import { type Relay, relayTest } from "./support/relay.ts";
import { until } from "./support/wait.ts";

const test = relayTest({ withoutWorker: true });

/** The group of workers, with how many of them keep to it. */
async function readGroup(relay: Relay): Promise<{ members: number; keeping: number }> {
  const { rows } = await relay.database.db.pool.query<{ members: number; keeping: number }>(
    `SELECT cardinality(members) AS members,
       (SELECT count(*)::int FROM workers w WHERE w.epoch = g.epoch AND w.id = ANY(g.members)) AS keeping
     FROM worker_group g`,
  );
  return rows[0] ?? { members: -1, keeping: -1 };
}

const untilSharedBy = (relay: Relay, workers: number) =>
  until(() => readGroup(relay), { accept: ({ members, keeping }) => members === workers && keeping === workers });

/** Starts workers that end with the test, and waits until they share the limits. */
async function startWorkers(relay: Relay, count: number): Promise<Worker[]> {
  const workers = await Promise.all(Array.from({ length: count }, () => relay.startWorker()));
  onTestFinished(async () => void (await Promise.all(workers.map((worker) => worker.stop()))));
  await untilSharedBy(relay, count);
  return workers;
}

/** When the attempts at a target began, in milliseconds. */
async function readStarts(relay: Relay, targetId: string): Promise<number[]> {
  const { rows } = await relay.database.db.pool.query<{ at: number }>(
    `SELECT extract(epoch FROM started_at)::float8 * 1000 AS at
     FROM attempts a JOIN deliveries d ON d.id = a.delivery_id WHERE d.target_id = $1 ORDER BY 1`,
    [parseId("tgt", targetId, "")],
  );
  return rows.map(({ at }) => at);
}

/** Sends events, a few at a time. */
async function sendEvents(relay: Relay, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 10) {
    await Promise.all(Array.from({ length: Math.min(10, count - sent) }, () => relay.sendEvent()));
  }
}

test.for([
  [1, 2],
  [3, 2],
  [2, 3],
] as const)(
  "at most %i in flight with %i workers, and that many are reached",
  async ([limit, count], { relay, receiver }) => {
    let inFlight = 0;
    let most = 0;
    receiver.answerWith(() => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      // Long enough that others come meanwhile.
      return { after: delay(20).then(() => (inFlight -= 1)) };
    });
    await relay.createTarget(receiver, { max_in_flight: limit });
    await startWorkers(relay, count);
    await sendEvents(relay, 60);
    // Another one joins while there is much to do.
    const joining = await relay.startWorker();
    onTestFinished(() => joining.stop());
    await sendEvents(relay, 60);
    await receiver.waitFor(120);
    expect(most).toBe(limit);
  },
);

test("a rate limit holds over three workers, and is reached", async ({ relay, receiver }) => {
  await startWorkers(relay, 3);
  const target = await relay.createTarget(receiver, { rate_limit: { requests: 60, per_seconds: 2 } });
  await sendEvents(relay, 300);
  await receiver.waitFor(300);
  // When the workers sent, and not when a busy machine let the receiver have it.
  const times = await until(() => readStarts(relay, target.id), { accept: ({ length }) => length === 300 });
  for (const from of times) {
    // A tenth more than 60, and one at each worker for the edge of the stretch.
    expect(times.filter((at) => at >= from && at < from + 2_000).length).toBeLessThanOrEqual(69);
  }
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(9_000);
});

test("the share of a worker that died goes to the others", async ({ relay, receiver }) => {
  const { pool } = relay.database.db;
  const dead = newId();
  const { rows } = await pool.query<{ epoch: string }>("SELECT epoch FROM worker_group");
  // What a worker leaves that is killed: its row, and its place in the group.
  await pool.query("INSERT INTO workers (id, beats, epoch, over_ids, waiting_ids) VALUES ($1, 1, $2, '{}', '{}')", [
    dead,
    rows[0]?.epoch,
  ]);
  await pool.query("UPDATE worker_group SET members = ARRAY[$1::uuid]", [dead]);
  const targets = await Promise.all(
    Array.from({ length: 8 }, () => relay.createTarget(receiver, { max_in_flight: 1 })),
  );
  const worker = await relay.startWorker();
  onTestFinished(() => worker.stop());
  await relay.sendEvent();
  await receiver.waitFor(targets.length);
  await untilSharedBy(relay, 1);
});
