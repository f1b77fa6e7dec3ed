// Sessions of the console, and the one-time codes that begin one. Only the SHA-256 of a token or a code is stored. Each is 256
// random bits, so that a fast hash is safe. A session is looked up together with its API key, so that it ends with the key.

import { createHash } from "node:crypto";

import { and, desc, eq, gt, inArray, sql } from "drizzle-orm";

import { newId } from "@sluice/shared/domain/ids";

import type { KeyHolder } from "../configuration/api-keys.ts";
import type { Connection, Database } from "../connection/database.ts";
import { consoleCodes, consoleSessions, type Scope, type SignInMethod } from "../schema.ts";

/** An API key, or ADMIN_API_KEY, for which a MAC of that key stands, so that another key has another one. */
export type KeyOfSession = { kind: "key"; keyId: string } | { kind: "environment"; adminKeyCode: Buffer };

/** To what a session is bound. `identity` is what a proxy named. */
export type SessionHolder = KeyOfSession | { kind: "identity"; identity: string };

export interface FoundSession {
  id: string;
  method: SignInMethod;
  expiresAt: Date;
  holder: { kind: "key"; key: KeyHolder } | Exclude<SessionHolder, { kind: "key" }>;
}

const hashOf = (text: string): Buffer => createHash("sha256").update(text).digest();

const keyColumns = (holder: SessionHolder) => ({
  keyId: holder.kind === "key" ? holder.keyId : null,
  adminKeyCode: holder.kind === "environment" ? holder.adminKeyCode : null,
});

const holderColumns = (holder: SessionHolder) => ({
  ...keyColumns(holder),
  identity: holder.kind === "identity" ? holder.identity : null,
});

/** @param endsBy when the session ends at the latest; null for no such time. */
export async function insertSession(
  tx: Connection,
  token: string,
  holder: SessionHolder,
  { method, lifetimeSeconds, endsBy }: { method: SignInMethod; lifetimeSeconds: number; endsBy: Date | null },
): Promise<{ id: string; expiresAt: Date }> {
  const [row] = await tx.orm
    .insert(consoleSessions)
    .values({
      id: newId(),
      tokenHash: hashOf(token),
      method,
      ...holderColumns(holder),
      expiresAt: sql`least(now() + ${lifetimeSeconds} * interval '1 second', ${endsBy?.toISOString() ?? null}::timestamptz)`,
    })
    .returning({ id: consoleSessions.id, expiresAt: consoleSessions.expiresAt });
  if (row === undefined) throw new Error("PostgreSQL returned no row for a new session");
  return row;
}

interface SessionRow {
  id: string;
  method: SignInMethod;
  expires_at: Date;
  admin_key_code: Buffer | null;
  identity: string | null;
  key_id: string | null;
  name: string | null;
  scopes: Scope[];
  key_expires_at: Date | null;
  target_id: string | null;
}

/** @returns the session with a token; undefined when there is none, when it has expired, or when its API key is not valid. */
export async function findSession(db: Database, token: string): Promise<FoundSession | undefined> {
  const { rows } = await db.pool.query<SessionRow>({
    name: "find-console-session",
    text: `SELECT s.id, method, s.expires_at, admin_key_code, identity, key_id, k.name, k.scopes,
             k.expires_at AS key_expires_at, k.target_id
           FROM console_sessions s LEFT JOIN api_keys k ON k.id = s.key_id
           WHERE s.token_hash = $1 AND s.expires_at > now()
             AND (s.key_id IS NULL OR (k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())))`,
    values: [hashOf(token)],
  });
  const row = rows[0];
  const holder = row && holderOf(row);
  if (row === undefined || holder === undefined) return undefined;
  const ends = [row.expires_at, row.key_expires_at ?? row.expires_at].map((end) => end.getTime());
  return { id: row.id, method: row.method, expiresAt: new Date(Math.min(...ends)), holder };
}

/** @returns undefined for a row that is bound to a key which is gone. */
function holderOf(row: SessionRow): FoundSession["holder"] | undefined {
  if (row.identity !== null) return { kind: "identity", identity: row.identity };
  if (row.admin_key_code !== null) return { kind: "environment", adminKeyCode: row.admin_key_code };
  if (row.key_id === null || row.name === null) return undefined;
  const { key_id: id, name, scopes, key_expires_at: expiresAt, target_id: targetId } = row;
  return { kind: "key", key: { id, name, scopes, expiresAt, targetId } };
}

/** @returns whether this call ended the session. */
export async function deleteSession(tx: Connection, id: string): Promise<boolean> {
  return (await tx.orm.delete(consoleSessions).where(eq(consoleSessions.id, id))).rowCount === 1;
}

/** @returns the session that this call ended; undefined when the token stands for none. */
export async function deleteSessionOfToken(
  tx: Connection,
  token: string,
): Promise<Pick<FoundSession, "id" | "method" | "expiresAt"> | undefined> {
  const { id, method, expiresAt } = consoleSessions;
  const ended = tx.orm.delete(consoleSessions).where(eq(consoleSessions.tokenHash, hashOf(token)));
  return (await ended.returning({ id, method, expiresAt }))[0];
}

/**
 * Ends the oldest sessions of one holder, and leaves the newest `kept` ones.
 * @returns those that this call ended.
 */
export async function deleteOldestSessions(
  tx: Connection,
  holder: SessionHolder,
  kept: number,
): Promise<Pick<FoundSession, "id" | "method" | "expiresAt">[]> {
  const { id, method, expiresAt, keyId, adminKeyCode, identity, createdAt } = consoleSessions;
  const columns = holderColumns(holder);
  const isSame = (column: typeof keyId | typeof adminKeyCode | typeof identity, value: unknown) =>
    sql`${column} IS NOT DISTINCT FROM ${value}`;
  const oldest = tx.orm
    .select({ id })
    .from(consoleSessions)
    .where(
      and(isSame(keyId, columns.keyId), isSame(adminKeyCode, columns.adminKeyCode), isSame(identity, columns.identity)),
    )
    .orderBy(desc(createdAt), desc(id))
    .offset(kept);
  return tx.orm.delete(consoleSessions).where(inArray(id, oldest)).returning({ id, method, expiresAt });
}

/** @returns when the code expires. */
export async function insertCode(
  db: Connection,
  code: string,
  holder: KeyOfSession,
  lifetimeSeconds: number,
): Promise<Date> {
  const [row] = await db.orm
    .insert(consoleCodes)
    .values({
      codeHash: hashOf(code),
      ...keyColumns(holder),
      expiresAt: sql`now() + ${lifetimeSeconds} * interval '1 second'`,
    })
    .returning({ expiresAt: consoleCodes.expiresAt });
  if (row === undefined) throw new Error("PostgreSQL returned no row for a new code");
  return row.expiresAt;
}

/**
 * Uses a code up: of two calls at once, one gets it.
 * @returns who made it; undefined when it is not known, was used or has expired. The key may have been revoked since.
 */
export async function takeCode(db: Connection, code: string): Promise<KeyOfSession | undefined> {
  const [row] = await db.orm
    .delete(consoleCodes)
    .where(and(eq(consoleCodes.codeHash, hashOf(code)), gt(consoleCodes.expiresAt, sql`now()`)))
    .returning({ keyId: consoleCodes.keyId, adminKeyCode: consoleCodes.adminKeyCode });
  if (row?.adminKeyCode) return { kind: "environment", adminKeyCode: row.adminKeyCode };
  return row?.keyId ? { kind: "key", keyId: row.keyId } : undefined;
}

/** Deletes the sessions and codes that have expired, or whose API key is revoked. @returns how many. */
export async function pruneConsoleSessions(db: Database): Promise<number> {
  let pruned = 0;
  for (const table of ["console_sessions", "console_codes"]) {
    const { rowCount } = await db.pool.query(
      `DELETE FROM ${table} WHERE expires_at < now() OR key_id IN (SELECT id FROM api_keys WHERE revoked_at IS NOT NULL)`,
    );
    pruned += rowCount ?? 0;
  }
  return pruned;
}
