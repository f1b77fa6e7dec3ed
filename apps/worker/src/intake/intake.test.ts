// A statement whose answer is lost: what it stored is not left to its lease, and what a lane has is not given away.

import { openLog } from "@sluice/shared/runtime/log";
import type { JobData, QueuedEvent } from "@sluice/queue/jobs";
import { readRevision } from "@sluice/store/connection/configuration-revision";
import type { Database } from "@sluice/store/connection/database";
import { ConfigurationCopy } from "@sluice/store/configuration/configuration-copy";
import { TARGET_DEFAULTS, type Target } from "@sluice/store/configuration/targets";
import { expect, onTestFinished } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { makeQueuedEvent, seedTarget } from "../../../../tests/support/seed.ts";
import { type IntakeDependencies, takeIn } from "./intake.ts";
import { Leases } from "../deliver/leases.ts";

const silent = openLog("worker", "fatal", { write: () => undefined });

/** A worker's intake, whose lanes have room and keep what they get. */
async function startIntake(db: Database, filter: Target["filter"] = null) {
  const id = await seedTarget(db);
  const target: Target = {
    ...TARGET_DEFAULTS,
    id,
    name: "target",
    uri: "http://127.0.0.1:9/",
    subscribedEvents: ["*"],
    hmacKeys: [],
    filter,
  };
  const load = async () => ({ revision: await readRevision(db, "targets"), value: new Map([[id, target]]) });
  const targets = await ConfigurationCopy.open(db, { name: "targets", load }, silent);
  const leases = new Leases(db, crypto.randomUUID(), silent);
  onTestFinished(async () => {
    leases.close();
    await targets.close();
  });
  const reservation = { accept: (delivery: { id: string }) => leases.hold(delivery.id), cancel: () => undefined };
  const lane = { reserve: () => reservation, wake: () => undefined };
  const setAside: QueuedEvent[][] = [];
  const dependencies = {
    targets,
    lanes: { forTarget: () => lane, catchUp: async () => undefined },
    leases,
    producer: { add: async (_: string, { events }: JobData["intake"]) => void setAside.push(events) },
    jobSources: { mayExist: false },
    stopping: new AbortController().signal,
    log: silent,
  };
  return {
    take: (events: QueuedEvent[], over: Database = db) =>
      takeIn({ events }, { ...dependencies, db: over } as unknown as IntakeDependencies),
    /** The jobs that were added for events at fault. */
    setAside,
    /** The workers that have the deliveries of the target in hand. */
    holders: async () => {
      const { rows } = await db.pool.query<{ leased_by: string | null }>(
        "SELECT leased_by FROM deliveries WHERE target_id = $1",
        [id],
      );
      return rows.map((row) => row.leased_by);
    },
    workerId: leases.lease.workerId,
  };
}

/** A filter that has a fault itself on events of one type. */
const FAULTY_FILTER: Target["filter"] = {
  matches: ({ event: { type } }) => {
    if (type === "unmatchable") throw new Error("a fault of the filter");
    return true;
  },
};

/** Loses the first answer. @param commits whether what it answers is done all the same. */
function losingAnswer(db: Database, { commits }: { commits: boolean }): Database {
  let isLost = false;
  const query = async (statement: { name: string; text: string }) => {
    if (statement.name !== "store-events" || isLost) return db.pool.query(statement);
    isLost = true;
    if (commits) await db.pool.query(statement);
    throw new Error("Connection terminated unexpectedly");
  };
  return { ...db, pool: { query } } as unknown as Database;
}

test("what was stored by a statement whose answer was lost is due at once", async ({ database: { db } }) => {
  const { take, holders } = await startIntake(db);
  await take([makeQueuedEvent()], losingAnswer(db, { commits: true }));
  expect(await holders()).toEqual([null]);
});

test("what a lane has by another copy of the job stays in its hands", async ({ database: { db } }) => {
  const { take, holders, workerId } = await startIntake(db);
  const event = makeQueuedEvent();
  await take([event]);
  await take([event], losingAnswer(db, { commits: false }));
  expect(await holders()).toEqual([workerId]);
});

test("a job stores its good events, and sets aside an event that cannot be read and one that cannot be matched", async ({
  database: { db },
}) => {
  const unmatchable = makeQueuedEvent({ body: Buffer.from('{"type":"unmatchable"}').toString("base64") });
  const { take, holders, setAside, workerId } = await startIntake(db, FAULTY_FILTER);
  const unreadable = makeQueuedEvent({ body: undefined });
  await take([unreadable, makeQueuedEvent(), unmatchable, makeQueuedEvent()]);
  expect(await holders()).toEqual([workerId, workerId]);
  expect(setAside).toEqual([[unreadable], [unmatchable]]);
});
