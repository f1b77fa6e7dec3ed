// Looks at a relay in PostgreSQL: each change is told once, and nothing that the relay tells leads to more of it.

import { formatId, newId } from "@sluice/shared/domain/ids";
import { expect } from "vitest";

import { test as base } from "../../../../tests/support/database.ts";
import { readOperational } from "../../../../tests/support/operational.ts";
import { makeAttempt, newLease, seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import { ensureBuiltInSources } from "../configuration/sources.ts";
import { insertRejections } from "../log/rejections.ts";
import type { Database } from "../connection/database.ts";
import { claimDue, recordAttempts } from "../delivery/deliveries.ts";
import { storeRelayEvent } from "../delivery/relay-event.ts";
import { writeProblems } from "./problems.ts";
import type { SetAsideSight } from "./set-aside.ts";
import { lookAndTell } from "./telling.ts";

const SETTINGS = { targetFailingAfterSeconds: 60, relayDegradedAfterSeconds: 60, sourceFailingRefusals: 10 };

const look = (db: Database, setAside: SetAsideSight[] = []) =>
  lookAndTell(db, SETTINGS, { everyMs: 0, setAside, readsCertificates: true });

type ToldEvent = ReturnType<typeof readOperational>;

/** What was told so far, oldest first. */
async function readTold(db: Database): Promise<ToldEvent[]> {
  const { rows } = await db.pool.query<{ body: Buffer }>(
    "SELECT body FROM events WHERE type LIKE 'sluice.%' AND type <> 'sluice.test' ORDER BY id",
  );
  return rows.map(({ body }) => readOperational(body));
}

const typesOf = (events: readonly ToldEvent[]) => events.map(({ type }) => type.replace("sluice.", ""));

/** Lets an hour pass since what was told. */
const passHour = (db: Database) => db.pool.query("UPDATE told SET told_at = told_at - interval '61 minutes'");

const test = base.extend("db", async ({ database: { db } }) => {
  // Each test has a relay of its own; all tests of the file share a database.
  await db.pool.query(
    `TRUNCATE told, untold_exhausted, process_problems, events, event_keys, deliveries, attempts, rejections, targets, api_keys CASCADE`,
  );
  await db.pool.query("UPDATE telling SET journal = pg_current_snapshot(), set_aside = '{}'");
  await ensureBuiltInSources(db);
  await db.pool.query("UPDATE sources SET expect_every_seconds = NULL");
  return db;
});

/** Makes one attempt at each of the new deliveries of a target. @returns the ids of the deliveries. */
async function attempt(db: Database, targetId: string, next: "pending" | "exhausted" | "succeeded", count = 1) {
  const lease = newLease();
  await seedDeliveries(db, targetId, count);
  return attemptDue(db, targetId, lease, next);
}

async function attemptDue(db: Database, targetId: string, lease: ReturnType<typeof newLease>, next: string) {
  const claimed = await claimDue(db, targetId, 100, lease);
  const attempts = claimed.map(({ id }) =>
    makeAttempt(id, {
      ...(next === "succeeded" ? { statusCode: 200 } : { statusCode: null, error: "connection: refused" }),
      next:
        next === "pending"
          ? { status: "pending", retryInMs: 3_600_000 }
          : { status: next as "exhausted" | "succeeded" },
    }),
  );
  await recordAttempts(db, attempts, lease.workerId);
  return claimed.map(({ id }) => id);
}

const beFailing = (db: Database, targetId: string, seconds: number) =>
  db.pool.query(
    `INSERT INTO target_health (target_id, failing_since, last_failure_at) VALUES ($1, now() - $2::float8 * interval '1 s', now())
     ON CONFLICT (target_id) DO UPDATE SET failing_since = excluded.failing_since, last_failure_at = now()`,
    [targetId, seconds],
  );

const beWell = (db: Database, targetId: string) =>
  db.pool.query(
    "UPDATE target_health SET failing_since = NULL, openings = 0, open_until = NULL, last_success_at = now() WHERE target_id = $1",
    [targetId],
  );

test("a target that fails for a minute is told once, and its recovery once", async ({ db }) => {
  const targetId = await seedTarget(db, { name: "billing" });
  await attempt(db, targetId, "pending");
  await beFailing(db, targetId, 59);
  await look(db);
  expect(await readTold(db)).toEqual([]);

  await beFailing(db, targetId, 61);
  await Promise.all([look(db), look(db), look(db)]);
  await look(db);
  const id = formatId("tgt", targetId);
  const [failing] = await readTold(db);
  expect(failing).toMatchObject({
    type: "sluice.target.failing",
    data: { id, target: "billing", last_error: "connection: refused", last_status_code: null },
  });

  await beWell(db, targetId);
  await Promise.all([look(db), look(db)]);
  await look(db);
  const told = await readTold(db);
  expect(typesOf(told)).toEqual(["target.failing", "target.recovered"]);
  expect(told[1]?.data).toMatchObject({ id, target: "billing", failing_since: failing?.data.failing_since });
});

test("what comes and goes within the hour is told when the hour is over, if it still holds", async ({ db }) => {
  const targetId = await seedTarget(db);
  await attempt(db, targetId, "pending");
  for (let times = 0; times < 5; times++) {
    await beFailing(db, targetId, 61);
    await look(db);
    await beWell(db, targetId);
    await look(db);
  }
  expect(typesOf(await readTold(db))).toEqual(["target.failing", "target.recovered"]);
  await beFailing(db, targetId, 61);
  await look(db);
  await passHour(db);
  await look(db);
  expect(typesOf(await readTold(db))).toEqual(["target.failing", "target.recovered", "target.failing"]);
});

test("a target that only its operator enabled again has not recovered", async ({ db }) => {
  const targetId = await seedTarget(db);
  await attempt(db, targetId, "pending");
  await beFailing(db, targetId, 61);
  await look(db);
  await db.pool.query("UPDATE target_health SET failing_since = NULL WHERE target_id = $1", [targetId]);
  await look(db);
  expect(typesOf(await readTold(db))).toEqual(["target.failing"]);
});

test("a target that the relay disables is told, and a target that an operator disables is not", async ({ db }) => {
  const [gone, byHand] = [await seedTarget(db, { name: "gone" }), await seedTarget(db)];
  for (const id of [gone, byHand]) await attempt(db, id, "pending");
  await db.pool.query("UPDATE targets SET state = 'disabled' WHERE id = ANY($1)", [[gone, byHand]]);
  await db.pool.query("UPDATE targets SET state_reason = 'The target answered 410 Gone' WHERE id = $1", [gone]);
  await look(db);
  await look(db);
  expect(await readTold(db)).toMatchObject([
    {
      type: "sluice.target.disabled",
      data: { target: "gone", state: "disabled", reason: "The target answered 410 Gone" },
    },
  ]);
});

test("a target that waits for a secret that was lost is not told as disabled", async ({ db }) => {
  const targetId = await seedTarget(db);
  await attempt(db, targetId, "pending");
  await db.pool.query("UPDATE targets SET state = 'paused', state_reason = 'lost' WHERE id = $1", [targetId]);
  await look(db);
  expect(await readTold(db)).toEqual([]);
});

test("exhausted deliveries of a target are told together, the first at once and the rest after an hour", async ({
  db,
}) => {
  const targetId = await seedTarget(db, { name: "billing" });
  const [first] = await attempt(db, targetId, "exhausted");
  await look(db);
  await attempt(db, targetId, "exhausted", 7);
  await attempt(db, targetId, "succeeded");
  await look(db);
  expect(await readTold(db)).toMatchObject([
    {
      type: "sluice.deliveries.exhausted",
      data: {
        target: "billing",
        count: 1,
        samples: [{ delivery: formatId("dlv", first ?? ""), last_error: "connection: refused" }],
      },
    },
  ]);
  await passHour(db);
  await Promise.all([look(db), look(db)]);
  const [, second, ...others] = await readTold(db);
  expect([second?.data.count, second?.data.samples.length, others]).toEqual([7, 5, []]);
});

test("deliveries of the relay's own events, and tests, cause no event, however they end", async ({ db }) => {
  const alarm = await seedTarget(db, { name: "alarm", subscribedEvents: ["sluice.*"] });
  const billing = await seedTarget(db, { name: "billing" });
  await attempt(db, billing, "pending");
  await beFailing(db, billing, 61);
  await look(db);
  await storeRelayEvent(db, alarm, "sluice.test");
  expect(await attemptDue(db, alarm, newLease(), "exhausted")).toHaveLength(2);
  await beFailing(db, alarm, 3_600);
  await look(db);
  await db.pool.query("UPDATE targets SET state = 'disabled', state_reason = 'gone' WHERE id = $1", [alarm]);
  await look(db);
  expect(typesOf(await readTold(db))).toEqual(["target.failing"]);
  const { rows } = await db.pool.query("SELECT FROM untold_exhausted");
  expect(rows).toEqual([]);
});

const sight = (count: number, failedAtMs: number): SetAsideSight[] => [
  { store: "redis", count, newest: [{ id: "42", failedAtMs, error: "invalid byte sequence" }] },
];

test("events that are set aside are told once, with all that came within the hour", async ({ db }) => {
  await look(db, []);
  await look(db, sight(1, 1_000));
  await look(db, sight(1, 1_000));
  await look(db, sight(2, 2_000));
  expect(await readTold(db)).toMatchObject([
    { type: "sluice.event.set_aside", data: { id: "relay", count: 1, samples: [{ id: "redis-42" }] } },
  ]);
  await passHour(db);
  await look(db, sight(3, 2_500));
  await passHour(db);
  await look(db, sight(3, 2_500));
  expect((await readTold(db)).map(({ data }) => data.count)).toEqual([1, 3]);
});

const sourceOf = async (db: Database, name: string) =>
  (await db.pool.query<{ id: string }>("SELECT id FROM sources WHERE name = $1", [name])).rows[0]?.id ?? "";

async function refuse(db: Database, sourceId: string, weight: number) {
  const detail = { detail: "", webhookId: null, remoteAddress: null, sizeBytes: null };
  await insertRejections(db, [{ id: newId(), sourceId, reason: "signature_mismatch", weight, ...detail }]);
}

test("a source with many refusals is told once, and again after a time without them", async ({ db }) => {
  const sourceId = await sourceOf(db, "gemini");
  await refuse(db, sourceId, 9);
  await look(db);
  expect(await readTold(db)).toEqual([]);
  await refuse(db, sourceId, 3);
  await look(db);
  await look(db);
  const told = await readTold(db);
  expect(told).toMatchObject([
    {
      type: "sluice.source.failing",
      data: {
        id: formatId("src", sourceId),
        source: "gemini",
        refusals: { count: 12, window_seconds: 600, reasons: { signature_mismatch: 12 } },
        silence: null,
      },
    },
  ]);
  await passHour(db);
  await look(db);
  await db.pool.query("TRUNCATE rejections");
  await look(db);
  await refuse(db, sourceId, 10);
  await look(db);
  expect(typesOf(await readTold(db))).toEqual(["source.failing", "source.failing"]);
});

test("a source is silent when nothing has come for longer than it expects", async ({ db }) => {
  const sourceId = await sourceOf(db, "gemini");
  await db.pool.query("UPDATE sources SET expect_every_seconds = 60, created_at = now() WHERE id = $1", [sourceId]);
  await look(db);
  expect(await readTold(db)).toEqual([]);
  await db.pool.query("UPDATE sources SET created_at = now() - interval '61 seconds' WHERE id = $1", [sourceId]);
  await look(db);
  await look(db);
  expect(await readTold(db)).toMatchObject([
    {
      type: "sluice.source.failing",
      data: { silence: { expect_every_seconds: 60, last_event_at: null }, refusals: null },
    },
  ]);
});

test("a problem of a process is told when it has lasted, and its end when no process has one", async ({ db }) => {
  const [one, other] = [newId(), newId()];
  const problem = { name: "redis", problem: "it does not answer" };
  const report = (processId: string, problems = [problem]) =>
    writeProblems(db, { processId, app: "gateway" }, problems);
  await report(one);
  await look(db);
  expect(await readTold(db)).toEqual([]);
  await db.pool.query("UPDATE process_problems SET since = now() - interval '61 seconds'");
  await report(one);
  await report(other);
  await look(db);
  await look(db);
  expect(await readTold(db)).toMatchObject([
    {
      type: "sluice.relay.degraded",
      data: {
        id: "relay",
        problems: [{ app: "gateway", check: "redis", problem: "it does not answer", processes: 2 }],
      },
    },
  ]);
  await report(one, []);
  await look(db);
  expect(await readTold(db)).toHaveLength(1);
  // The other process died.
  await db.pool.query("UPDATE process_problems SET seen_at = now() - interval '5 minutes'");
  await look(db);
  await look(db);
  expect(typesOf(await readTold(db))).toEqual(["relay.degraded", "relay.recovered"]);
});

test("an API key that expires within a week is told once, and one that was made for a short time near its end", async ({
  db,
}) => {
  const insert = (name: string, createdAgo: string, expiresIn: string, revoked = false) =>
    db.pool.query(
      `INSERT INTO api_keys (id, name, hash, scopes, created_at, expires_at, revoked_at)
       VALUES ($1, $2, $3, '{read}', now() - $4::interval, now() + $5::interval, CASE WHEN $6 THEN now() END)`,
      [newId(), name, Buffer.from(name), createdAgo, expiresIn, revoked],
    );
  await insert("soon", "1 year", "6 days");
  await insert("later", "1 year", "8 days");
  await insert("fresh", "1 minute", "1 day");
  await insert("old", "20 hours", "4 hours");
  await insert("revoked", "1 year", "6 days", true);
  await look(db);
  await passHour(db);
  await look(db);
  const told = await readTold(db);
  expect(new Set(told.map(({ data }) => data.name))).toEqual(new Set(["old", "soon"]));
  expect(told).toHaveLength(2);
  expect(told[0]).toMatchObject({
    type: "sluice.secret.expiring",
    data: { kind: "api_key", id: expect.stringMatching(/^key_/) },
  });
});

test("a part of the look that fails does not keep the others from being told", async ({ db }) => {
  const targetId = await seedTarget(db, { name: "broken" });
  await db.pool.query(
    "UPDATE targets SET tls_ca = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' WHERE id = $1",
    [targetId],
  );
  await attempt(db, targetId, "exhausted");
  const result = await look(db);
  expect(result?.failures.map(({ part }) => part)).toEqual(["certificates"]);
  expect(typesOf(await readTold(db))).toEqual(["deliveries.exhausted"]);
});
