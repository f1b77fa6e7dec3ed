// What a worker does by itself for webhooks at Gemini: it rotates secrets, which end with Gemini's, enables what Gemini
// disabled three times a day, costs 12 requests an hour for each webhook, and never works beside another one.

import { describe, expect } from "vitest";

import { SimulatorClock } from "@sluice/gemini-simulator/clock";

import { test } from "../../../../tests/support/database.ts";
import {
  forgetEvents,
  onlyWebhook,
  openWatched,
  readDriftEvents,
  readWatched,
  registerWatched,
  watchAll,
} from "../../../../tests/support/watched-upstream.ts";
import type { Database } from "../connection/database.ts";
import { watchNextUpstream } from "./upstream-watch.ts";
import { changeUpstreamSettings } from "./upstreams.ts";

const readSecrets = async (db: Database, id: string) =>
  (
    await db.pool.query<{ truncated: string; expires_at: Date | null }>(
      "SELECT truncated, expires_at FROM source_secrets WHERE source_id = $1 ORDER BY id",
      [id],
    )
  ).rows;
const ends = (text: string | undefined) => `whsec_...${text?.slice(-4)}`;

describe("the signing secret", () => {
  test("is rotated when it is time; the old one ends when it ends at Gemini, and no other does", async ({
    database: { db },
  }) => {
    const watched = await openWatched(db);
    const id = await registerWatched(watched);
    const [own, first] = await readSecrets(db, id);
    await changeUpstreamSettings(db, id, { rotateEveryDays: 30 });
    expect((await watchAll(watched))[0]?.did).toBe("check");
    await db.pool.query("UPDATE upstreams SET next_rotation_at = now()");
    expect((await watchAll(watched))[0]).toMatchObject({ did: "rotate", failure: undefined });
    const [old, current] = onlyWebhook(watched).secrets;
    const after = await readSecrets(db, id);
    expect(after.map(({ truncated }) => truncated)).toEqual([own?.truncated, first?.truncated, ends(current?.text)]);
    expect(first?.truncated).toBe(ends(old?.text));
    const [ownAfter, oldAfter, currentAfter] = after;
    // The one that somebody else signs with is none of Gemini's.
    expect(ownAfter?.expires_at).toBeNull();
    expect(currentAfter?.expires_at).toBeNull();
    expect((oldAfter?.expires_at?.getTime() ?? 0) - (old?.expiresAtMs ?? 0)).toBe(600_000);
    expect((await watchAll(watched))[0]?.did).toBe("check");
  });

  test("of a rotation whose answer was lost is replaced by another one", async ({ database: { db } }) => {
    const watched = await openWatched(db);
    const id = await registerWatched(watched);
    await changeUpstreamSettings(db, id, { rotateEveryDays: 1 });
    await db.pool.query("UPDATE upstreams SET next_rotation_at = now()");
    watched.simulator.faults.calls.add({
      failure: { kind: "cut" },
      effect: "applied",
      route: "webhooks.rotateSigningSecret",
    });
    expect((await watchAll(watched))[0]?.failure).toMatchObject({ kind: "unreachable" });
    expect((await readWatched(watched, id)).intent).toMatchObject({ kind: "rotate", failures: 1 });
    expect((await watchAll(watched))[0]).toMatchObject({ did: "rotate", failure: undefined });
    const texts = onlyWebhook(watched).secrets.map(({ text }) => ends(text));
    expect(texts).toHaveLength(3);
    const known = (await readSecrets(db, id)).map(({ truncated }) => truncated);
    expect(texts.filter((text) => !known.includes(text))).toHaveLength(1);
  });

  test("is not rotated while the source has no room for it", async ({ database: { db } }) => {
    const watched = await openWatched(db);
    const id = await registerWatched(watched);
    await changeUpstreamSettings(db, id, { rotateEveryDays: 1 });
    await db.pool.query("UPDATE upstreams SET next_rotation_at = now()");
    await db.pool.query(
      `INSERT INTO source_secrets (id, source_id, ciphertext, truncated)
       SELECT gen_random_uuid(), source_id, ciphertext, 'whsec_...' || n FROM source_secrets, generate_series(1, 8) n
       WHERE source_id = $1 AND id = (SELECT min(id::text)::uuid FROM source_secrets WHERE source_id = $1)`,
      [id],
    );
    expect((await watchAll(watched))[0]?.did).toBe("check");
    expect(onlyWebhook(watched).secrets).toHaveLength(1);
  });
});

describe("heal: auto", () => {
  test("enables what Gemini disabled, reconciles the gap, and gives up after three times a day", async ({
    database: { db },
  }) => {
    const watched = await openWatched(db);
    const id = await registerWatched(watched);
    await changeUpstreamSettings(db, id, { heal: "auto" });
    await forgetEvents(db);
    for (let times = 1; times <= 3; times++) {
      watched.simulator.webhooks.setState(onlyWebhook(watched), "disabled_due_to_failed_deliveries");
      expect(await watchAll(watched)).toMatchObject([{ did: "heal", failure: undefined }]);
      expect(onlyWebhook(watched).state).toBe("enabled");
      expect(watched.reconciled).toHaveLength(times);
    }
    const { createdAt } = await readWatched(watched, id);
    // No event of the source ever came, so the gap begins with the registration.
    expect(watched.reconciled[0]).toEqual([id, createdAt.getTime()]);
    watched.simulator.webhooks.setState(onlyWebhook(watched), "disabled_due_to_failed_deliveries");
    expect(await watchAll(watched)).toMatchObject([{ did: "check" }]);
    expect(onlyWebhook(watched).state).toBe("disabled_due_to_failed_deliveries");
    await db.pool.query(
      "UPDATE upstreams SET healed_at = ARRAY(SELECT at - interval '1 day' FROM unnest(healed_at) AS at)",
    );
    expect(await watchAll(watched)).toMatchObject([{ did: "heal" }]);
    const disabled = ["disabled_due_to_failed_deliveries"];
    expect(await readDriftEvents(watched)).toEqual([disabled, [], disabled, [], disabled, [], disabled, []]);
  });

  test("leaves what a person disabled", async ({ database: { db } }) => {
    const watched = await openWatched(db);
    await changeUpstreamSettings(db, await registerWatched(watched), { heal: "auto" });
    watched.simulator.webhooks.setState(onlyWebhook(watched), "disabled");
    expect(await watchAll(watched)).toMatchObject([{ did: "check" }]);
    expect(onlyWebhook(watched).state).toBe("disabled");
  });
});

test("the watch of ten sources costs 120 requests in an hour, whatever else the project has", async ({
  database: { db },
}) => {
  const clock = new SimulatorClock();
  const watched = await openWatched(db, { clock });
  for (let count = 0; count < 10; count++) await registerWatched(watched);
  for (let count = 0; count < 10_000; count++) watched.simulator.jobs.start({ kind: "batch" });
  const before = watched.simulator.requests.count();
  const { rows } = await db.pool.query<{ seconds: string }>(
    "SELECT max(extract(epoch FROM next_check_at - now())) AS seconds FROM upstreams",
  );
  // A check each five minutes.
  expect(Number(rows[0]?.seconds)).toBeGreaterThan(240);
  expect(Number(rows[0]?.seconds)).toBeLessThanOrEqual(300);
  for (let round = 0; round < 12; round++) expect(await watchAll(watched)).toHaveLength(10);
  expect(watched.simulator.requests.count() - before).toBe(120);
  const spent = await db.pool.query<{ sent: string }>("SELECT sum(sent) AS sent FROM gemini_requests");
  expect(Number(spent.rows[0]?.sent)).toBe(watched.simulator.requests.count());
});

test("two workers never work on one webhook at once, and another one goes on after a minute", async ({
  database: { db },
}) => {
  const watched = await openWatched(db);
  const id = await registerWatched(watched);
  const { simulator, dependencies } = watched;
  await db.pool.query("UPDATE upstreams SET next_check_at = now()");
  simulator.faults.calls.add({ failure: { kind: "hang" } });
  const hanging = watchNextUpstream(dependencies);
  await expect.poll(() => simulator.requests.count({ route: "webhooks.get" })).toBeGreaterThan(1);
  expect(await watchNextUpstream(dependencies)).toBeUndefined();
  await db.pool.query("UPDATE upstreams SET claimed_until = now()");
  expect(await watchNextUpstream(dependencies)).toMatchObject({ sourceId: id, failure: undefined });
  simulator.faults.calls.clear();
  // What the first one wants to write now is refused.
  expect((await hanging)?.failure).toMatchObject({ code: "upstream_busy" });
  expect((await readWatched(watched, id)).problem).toBeNull();
});
