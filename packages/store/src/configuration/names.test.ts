// What PostgreSQL makes of names that are taken, whichever version of a gateway writes them.

import { randomBytes } from "node:crypto";

import { expect } from "vitest";

import { generateApiKey } from "@sluice/shared/domain/api-key";
import { MasterKey } from "@sluice/shared/settings/master-key";
import { generateSigningSecret } from "@sluice/signature/secret";

import { test } from "../../../../tests/support/database.ts";
import { seedTarget } from "../../../../tests/support/seed.ts";
import type { Database } from "../connection/database.ts";
import { removeTarget } from "../delivery/deleted-targets.ts";
import { getApiKey, insertApiKey, revokeApiKey } from "./api-keys.ts";
import { changeTargetSettings, insertTarget, TARGET_DEFAULTS } from "./targets.ts";

const masterKey = new MasterKey(randomBytes(32));
const taken = (name: string) => ({ code: "name_taken", message: expect.stringContaining(`named "${name}"`) });

async function nameOf(db: Database, id: string): Promise<string | undefined> {
  return (await db.pool.query<{ name: string }>("SELECT name FROM targets WHERE id = $1", [id])).rows[0]?.name;
}

const insert = (db: Database, name: string) =>
  insertTarget(
    db,
    masterKey,
    { ...TARGET_DEFAULTS, name, uri: "http://a/", subscribedEvents: ["*"] },
    generateSigningSecret(),
  );

test("a name that is taken gets the next free number, and a deleted target's name is free", async ({
  database: { db },
}) => {
  await seedTarget(db, { name: "billing-2" });
  const ids = [];
  for (let count = 0; count < 3; count++) ids.push(await seedTarget(db, { name: "billing" }));
  expect(await Promise.all(ids.map((id) => nameOf(db, id)))).toEqual(["billing", "billing-3", "billing-4"]);
  await removeTarget(db, ids[0] ?? "");
  expect(await nameOf(db, await seedTarget(db, { name: "billing" }))).toBe("billing");
});

test("a name with a number has at most 200 characters", async ({ database: { db } }) => {
  const longest = "ä".repeat(200);
  expect(await nameOf(db, await insert(db, longest))).toBe(longest);
  expect(await nameOf(db, await seedTarget(db, { name: longest }))).toBe(`${"ä".repeat(198)}-2`);
});

test("names differ by upper and lower case, by spaces, and by how a letter is composed", async ({
  database: { db },
}) => {
  for (const name of ["case", "Case", "case ", "é", "e\u0301"]) {
    expect(await nameOf(db, await insert(db, name))).toBe(name);
  }
});

test("where a taken name is refused, nothing is stored", async ({ database: { db } }) => {
  const first = await insert(db, "refused");
  await expect(insert(db, "refused")).rejects.toMatchObject(taken("refused"));
  const other = await insert(db, "other");
  const rename = () => changeTargetSettings(db, masterKey, other, () => ({ name: "refused" }));
  await expect(rename()).rejects.toMatchObject(taken("refused"));
  expect(await nameOf(db, other)).toBe("other");
  await changeTargetSettings(db, masterKey, first, (current) => ({ ...current, timeoutSeconds: 5 }));
  await removeTarget(db, first);
  await rename();
  expect(await nameOf(db, other)).toBe("refused");
});

test("of several transactions at the same moment, one gets the name, and the others get numbers or are refused", async ({
  database: { db },
}) => {
  const seeded = await Promise.all(Array.from({ length: 8 }, () => seedTarget(db, { name: "raced" })));
  const names = await Promise.all(seeded.map((id) => nameOf(db, id)));
  expect(new Set(names)).toEqual(new Set(["raced", ...[2, 3, 4, 5, 6, 7, 8].map((number) => `raced-${number}`)]));
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => insert(db, "raced once")));
  const refused = results.filter((result) => result.status === "rejected");
  expect(refused.map(({ reason }) => reason as unknown)).toEqual(
    Array.from({ length: 7 }, () => expect.objectContaining(taken("raced once")) as unknown),
  );
});

test("two rows of one statement of an older version get different names", async ({ database: { db } }) => {
  const { rows } = await db.pool.query<{ name: string }>(
    `INSERT INTO targets (id, name, uri, subscribed_events, timeout_seconds, max_in_flight, retry_base_seconds,
       retry_cap_seconds, retry_horizon_seconds)
     SELECT gen_random_uuid(), 'same', 'http://a/', '{*}', 20, 64, 5, 3600, 86400 FROM generate_series(1, 2)
     RETURNING name`,
  );
  expect(rows).toEqual([{ name: "same" }, { name: "same-2" }]);
});

test("an API key that is not revoked holds its name, and a revoked one keeps it without holding it", async ({
  database: { db },
}) => {
  const make = () =>
    db.orm.transaction((orm) =>
      insertApiKey({ orm }, generateApiKey(), { name: "ci", scopes: ["read"], expiresAt: null }),
    );
  const first = await make();
  await expect(make()).rejects.toMatchObject(taken("ci"));
  expect((await db.pool.query("SELECT FROM api_keys WHERE name LIKE 'ci%'")).rowCount).toBe(1);
  await db.orm.transaction((orm) => revokeApiKey({ orm }, first, true));
  const second = await make();
  expect([await getApiKey(db, first), await getApiKey(db, second)]).toMatchObject([{ name: "ci" }, { name: "ci" }]);
});
