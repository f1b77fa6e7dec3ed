// The copy of the targets is brought up to date by what changed, whoever changed it and in whatever order changes
// commit.

import { randomBytes } from "node:crypto";

import { expect } from "vitest";

import { MasterKey } from "@sluice/shared/settings/master-key";
import { generateSigningSecret } from "@sluice/signature/secret";

import { test } from "../../../../tests/support/database.ts";
import { readRevision } from "../connection/configuration-revision.ts";
import type { Database } from "../connection/database.ts";
import { removeTarget } from "../delivery/deleted-targets.ts";
import { ensureBuiltInSources } from "./sources.ts";
import { addTargetSecret, changeTargetSettings, insertTarget, TARGET_DEFAULTS } from "./targets.ts";
import { pruneTargetRevisions, targetsPart } from "./targets-part.ts";

const masterKey = new MasterKey(randomBytes(32));
const part = targetsPart(masterKey);

const seed = (db: Database) =>
  insertTarget(
    db,
    masterKey,
    { ...TARGET_DEFAULTS, name: "one", uri: "http://a/", subscribedEvents: ["*"], headers: { "x-a": "1" } },
    generateSigningSecret(),
    "add_number",
  );

test("a load brings what changed, and leaves every other target the same object", async ({ database: { db } }) => {
  const [same, changed, rotated, deleted] = [await seed(db), await seed(db), await seed(db), await seed(db)];
  const first = await part.load(db, undefined);
  expect(first.value.get(same)).toMatchObject({ name: "one", headers: { "x-a": "1" }, hmacKeys: [expect.anything()] });

  await changeTargetSettings(db, masterKey, changed, () => ({ name: "other", filter: 'source == "a"' }));
  await addTargetSecret(db, masterKey, rotated, generateSigningSecret(), "revoke_after_24h");
  await removeTarget(db, deleted);
  const added = await seed(db);
  const second = await part.load(db, first);
  expect(second.revision).toBe(await readRevision(db, "targets"));
  expect(second.value.get(same)).toBe(first.value.get(same));
  expect(second.value.get(changed)).toMatchObject({ name: "other", filter: expect.anything() });
  expect(second.value.get(rotated)?.hmacKeys).toHaveLength(2);
  expect(second.value.has(deleted)).toBe(false);
  expect(second.value.has(added)).toBe(true);
  // The first copy is as it was: a batch may be matched with it.
  expect(first.value.get(changed)?.name).toBe("one-2");
  expect(first.value.has(deleted)).toBe(true);
  // Two Maps with the same entries are equal in any order.
  expect(second.value).toEqual((await part.load(db, undefined)).value);
});

test("statements that change no target, and changes of sources, leave the targets as they are", async ({
  database: { db },
}) => {
  await seed(db);
  const revisions = async () => [await readRevision(db, "targets"), await readRevision(db, "sources")] as const;
  const [targets, sources] = await revisions();
  await ensureBuiltInSources(db);
  await db.pool.query("UPDATE targets SET name = 'x' WHERE false");
  await db.pool.query("DELETE FROM target_secrets WHERE false");
  expect(await revisions()).toEqual([targets, sources + 1]);
  await db.pool.query("UPDATE targets SET name = 'x'");
  expect(await revisions()).toEqual([targets + 1, sources + 1]);
  // An older version compares this one.
  const { rows } = await db.pool.query("SELECT revision FROM configuration");
  expect(Number(rows[0]?.revision)).toBeGreaterThan(targets);
});

test("a change that commits late is not missed, because later changes wait for it", async ({ database: { db } }) => {
  const [one, other] = [await seed(db), await seed(db)];
  const early = await db.pool.connect();
  await early.query("BEGIN");
  await early.query("UPDATE targets SET name = 'early' WHERE id = $1", [one]);
  const late = db.pool.query("UPDATE targets SET name = 'late' WHERE id = $1", [other]);
  const before = await part.load(db, undefined);
  await early.query("COMMIT");
  early.release();
  await late;
  const after = await part.load(db, before);
  expect([after.value.get(one)?.name, after.value.get(other)?.name]).toEqual(["early", "late"]);
});

test("a copy that is older than the oldest deletion that is known, or newer than PostgreSQL, is loaded anew", async ({
  database: { db },
}) => {
  const [kept, deleted, deletedNow] = [await seed(db), await seed(db), await seed(db)];
  const old = await part.load(db, undefined);
  await removeTarget(db, deleted);
  const current = await part.load(db, old);
  await removeTarget(db, deletedNow);
  await db.pool.query("UPDATE target_revisions SET changed_at = now() - interval '25 hours' WHERE target_id = $1", [
    deleted,
  ]);
  await pruneTargetRevisions(db);
  await pruneTargetRevisions(db);
  const anew = await part.load(db, old);
  expect([anew.value.has(deleted), anew.value.has(deletedNow)]).toEqual([false, false]);
  expect(anew.value.get(kept)).not.toBe(old.value.get(kept));
  const ahead = { revision: current.revision + 1_000, value: current.value };
  expect((await part.load(db, ahead)).value.has(deletedNow)).toBe(false);
  // A copy that has the deletion which was forgotten needs only what came later.
  const next = await part.load(db, current);
  expect(next.value.get(kept)).toBe(current.value.get(kept));
  expect(next.value.has(deletedNow)).toBe(false);
});
