// Another master key for a database: everything that is encrypted under the old one is encrypted under the new one, in
// one transaction. No gateway and no worker may run meanwhile, because each has the old key in its memory and would go
// on to encrypt with it.

import { drizzle } from "drizzle-orm/node-postgres";
import type pg from "pg";

import { newId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { Secret } from "@sluice/shared/settings/secret";

import { hasMadeCheck, makeCheck } from "../connection/configuration-row.ts";
import { connectOnce } from "../connection/connect-once.ts";
import { type AuditedChange, recordChange } from "../requests/audit.ts";
import { toGeminiKey } from "./gemini-keys.ts";

/** A column of encrypted values, and to which owner each value is bound. */
interface EncryptedColumn {
  table: string;
  column: string;
  /** The columns of the primary key. */
  key: string[];
  /** SQL over the row. */
  owner: string;
}

/** A test compares them with the columns of the database. `configuration` is apart, because it is the check. */
export const ENCRYPTED_COLUMNS: readonly EncryptedColumn[] = [
  { table: "source_secrets", column: "ciphertext", key: ["id"], owner: "source_id::text" },
  { table: "target_secrets", column: "ciphertext", key: ["id"], owner: "target_id::text" },
  { table: "gemini_keys", column: "ciphertext", key: ["source_id"], owner: "source_id::text" },
  { table: "targets", column: "headers_ciphertext", key: ["id"], owner: "id::text" },
  { table: "targets", column: "tls_client_key_ciphertext", key: ["id"], owner: "id || ' tls client key'" },
  { table: "targets", column: "chat_url_ciphertext", key: ["id"], owner: "id || ' chat url'" },
  {
    table: "idempotency_keys",
    column: "answer",
    key: ["caller", "key_hash"],
    owner: "'idempotency:' || caller || ':' || encode(key_hash, 'hex')",
  },
];
/** Where the id of a key of the Gemini API stands, which is made with the master key. */
const KEY_ID_TABLES = ["gemini_keys", "gemini_requests", "job_sources", "job_readers"];
/** Values that are encrypted at once. An answer may be a hundred kilobytes. */
const ROWS_AT_ONCE = 200;
const RUNNING = "^sluice-(gateway|worker|queue)";

export type KeyState = "current" | "other" | "unused";

/**
 * Runs work that changes the master key, in one transaction in which no process can start on the database.
 * @throws SluiceError `database_in_use` while gateways or workers are connected.
 */
export async function withExclusiveDatabase<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connectOnce(url, "sluice-rekey");
  try {
    await client.query("BEGIN");
    // A process compares its key with this table at its start. It waits here, and then finds the new key.
    await client.query("LOCK TABLE configuration IN ACCESS EXCLUSIVE MODE");
    await refuseRunning(client);
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } finally {
    await client.end();
  }
}

async function refuseRunning(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string; sessions: number }>(
    `SELECT application_name AS name, count(*)::integer AS sessions FROM pg_stat_activity
     WHERE datname = current_database() AND application_name ~ $1 AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 1`,
    [RUNNING],
  );
  if (rows.length === 0) return;
  const found = rows.map(({ name, sessions }) => `${name} (${sessions} connections)`).join(", ");
  throw new SluiceError(
    "database_in_use",
    `Gateways or workers use the database: ${found}. They have the old master key in their memory. Stop all of them, ` +
      "and try again. Nothing was changed",
  );
}

/** What a key is to the database. */
export async function judgeKey(client: pg.Client, key: MasterKey): Promise<KeyState> {
  const { rows } = await client.query<{ sealed: Buffer | null }>(
    "SELECT master_key_check AS sealed FROM configuration",
  );
  const sealed = rows[0]?.sealed ?? null;
  if (sealed === null) return "unused";
  return hasMadeCheck(key, sealed) ? "current" : "other";
}

/**
 * Encrypts everything anew.
 * @param environmentKey `GEMINI_API_KEY`, whose budget and jobs are kept under an id that the master key makes.
 * @returns how many values there were.
 */
export async function rekeyDatabase(
  client: pg.Client,
  from: MasterKey,
  to: MasterKey,
  environmentKey?: Secret<string>,
): Promise<number> {
  await renameKeyIds(client, from, to, environmentKey);
  let values = 0;
  for (const column of ENCRYPTED_COLUMNS) values += await encryptColumn(client, column, from, to);
  await storeCheck(client, to);
  await recordRekey(client, { action: "relay.master_key_changed", after: { encrypted_values: values } });
  return values;
}

/** Tells the audit trail of a change of the master key, in the transaction that makes the change. */
export async function recordRekey(client: pg.Client, change: Omit<AuditedChange, "resourceId">): Promise<void> {
  const author = { keyId: null, keyName: "sluice rekey", remoteAddress: null, requestId: newId() };
  await recordChange({ orm: drizzle(client) }, author, { ...change, resourceId: "relay" });
}

export async function storeCheck(client: pg.Client, key: MasterKey): Promise<void> {
  await client.query("UPDATE configuration SET master_key_check = $1", [makeCheck(key)]);
}

async function encryptColumn(
  client: pg.Client,
  { table, column, key, owner }: EncryptedColumn,
  from: MasterKey,
  to: MasterKey,
): Promise<number> {
  const own = key.map((name) => `${name}::text`).join(" || ' ' || ");
  let values = 0;
  // In the order of the key, so that no row is read twice.
  for (let after = ""; ;) {
    const { rows } = await client.query<{ own: string; owner: string; sealed: Buffer }>(
      `SELECT ${own} AS own, ${owner} AS owner, ${column} AS sealed FROM ${table}
       WHERE ${column} IS NOT NULL AND (${own}) COLLATE "C" > $1 ORDER BY (${own}) COLLATE "C" LIMIT ${ROWS_AT_ONCE}`,
      [after],
    );
    const last = rows.at(-1);
    if (last === undefined) return values;
    after = last.own;
    values += rows.length;
    const sealed = rows.map((row) => to.encrypt(from.decrypt(row.sealed, row.owner), row.owner));
    await client.query(
      `UPDATE ${table} SET ${column} = changed.sealed
       FROM unnest($1::text[], $2::bytea[]) AS changed (own, sealed) WHERE ${own} = changed.own`,
      [rows.map((row) => row.own), sealed],
    );
  }
}

async function renameKeyIds(
  client: pg.Client,
  from: MasterKey,
  to: MasterKey,
  environmentKey: Secret<string> | undefined,
): Promise<void> {
  const { rows } = await client.query<{ source_id: string; sealed: Buffer }>(
    "SELECT source_id, ciphertext AS sealed FROM gemini_keys",
  );
  const keys = rows.map(({ source_id: id, sealed }) => new Secret(from.decrypt(sealed, id)));
  if (environmentKey !== undefined) keys.push(environmentKey);
  const renamed = new Map(keys.map((key) => [toGeminiKey(from, key).keyId, toGeminiKey(to, key).keyId]));
  for (const table of KEY_ID_TABLES) {
    for (const [before, now] of renamed) {
      await client.query(`UPDATE ${table} SET key_id = $2 WHERE key_id = $1`, [before, now]);
    }
  }
}
