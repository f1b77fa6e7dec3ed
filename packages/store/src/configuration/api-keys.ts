// API keys: only their SHA-256 is stored. A key is 256 random bits, so looking a hash up leaks nothing useful
// about timing and needs no slow hash. Every request looks its key up, so that a revocation is in force everywhere at once.

import { createHash, randomBytes } from "node:crypto";
import { and, desc, eq, isNull, sql } from "drizzle-orm";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { newId } from "@sluice/shared/domain/ids";
import { apiKeys, type Scope } from "../schema.ts";
import type { Connection, Database } from "../connection/database.ts";
import { type Page, withinPage } from "../log/page.ts";

const PREFIX = "sluice_";

/** A key as it is stored, without its hash. */
export type ApiKeyRecord = Omit<typeof apiKeys.$inferSelect, "hash">;

export interface ApiKeySettings {
  name: string;
  scopes: Scope[];
  /** Null for never. */
  expiresAt: Date | null;
}

/** Who a valid key is. */
export interface KeyHolder extends ApiKeySettings {
  id: string;
}

const columns = {
  id: apiKeys.id,
  name: apiKeys.name,
  scopes: apiKeys.scopes,
  expiresAt: apiKeys.expiresAt,
  revokedAt: apiKeys.revokedAt,
  createdAt: apiKeys.createdAt,
  truncated: apiKeys.truncated,
  lastUsedAt: apiKeys.lastUsedAt,
};

export function generateApiKey(): string {
  return PREFIX + randomBytes(32).toString("base64url");
}

export function hashApiKey(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

/** How a key is shown after it was made: `sluice_...mNoP`. */
function truncateApiKey(key: string): string {
  return `${PREFIX}...${key.slice(-4)}`;
}

/** Who holds a key that is neither expired nor revoked; undefined when there is no such key. */
export async function findApiKey(db: Database, key: string): Promise<KeyHolder | undefined> {
  const { rows } = await db.pool.query<{ id: string; name: string; scopes: Scope[]; expires_at: Date | null }>({
    name: "find-api-key",
    text: `SELECT id, name, scopes, expires_at FROM api_keys
           WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
    values: [hashApiKey(key)],
  });
  const row = rows[0];
  return row && { id: row.id, name: row.name, scopes: row.scopes, expiresAt: row.expires_at };
}

/** Records that a key was used, to the minute: several gateways note it, and one of them writes. */
export async function noteKeyUse(db: Database, id: string): Promise<void> {
  await db.pool.query({
    name: "note-key-use",
    text: `UPDATE api_keys SET last_used_at = now()
           WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
    values: [id],
  });
}

export async function listApiKeys(db: Connection, page: Page): Promise<ApiKeyRecord[]> {
  return db.orm
    .select(columns)
    .from(apiKeys)
    .where(withinPage(apiKeys.id, page))
    .orderBy(desc(apiKeys.id))
    .limit(page.limit);
}

export async function getApiKey(db: Connection, id: string): Promise<ApiKeyRecord | undefined> {
  return (await db.orm.select(columns).from(apiKeys).where(eq(apiKeys.id, id)))[0];
}

/** @returns its id. */
export async function insertApiKey(db: Connection, key: string, settings: ApiKeySettings): Promise<string> {
  const id = newId();
  await db.orm.insert(apiKeys).values({ id, ...settings, hash: hashApiKey(key), truncated: truncateApiKey(key) });
  return id;
}

/**
 * Revokes a key at once; one that is revoked stays as it is. MUST run in a transaction.
 * @param hasOtherAdmin whether there is an admin key in no table: that of the environment.
 * @returns whether it was not revoked before.
 * @throws SluiceError `last_admin_key` where no admin key would be left that lasts as long.
 */
export async function revokeApiKey(tx: Connection, id: string, hasOtherAdmin: boolean): Promise<boolean> {
  // All admin keys are locked, in one order: of two that are revoked at once, the second sees the first revoked.
  const { rows: admins } = await tx.orm.execute<{ id: string; ends_at: string }>(sql`
    SELECT id, coalesce(extract(epoch FROM expires_at), 'infinity') AS ends_at FROM api_keys
    WHERE 'admin' = ANY(scopes) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    ORDER BY id FOR UPDATE`);
  const revoked = admins.find((admin) => admin.id === id);
  const lastsAsLong = (admin: { ends_at: string }) => Number(admin.ends_at) >= Number(revoked?.ends_at);
  if (revoked !== undefined && !hasOtherAdmin && !admins.some((admin) => admin.id !== id && lastsAsLong(admin))) {
    throw new SluiceError(
      "last_admin_key",
      "No other key with the scope admin lasts as long as this one: make one first, or set ADMIN_API_KEY",
    );
  }
  const updated = await tx.orm
    .update(apiKeys)
    .set({ revokedAt: sql`now()` })
    .where(and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt)));
  return updated.rowCount === 1;
}

/**
 * Stores a key named "first" with every scope, unless any key exists.
 * @returns whether it was stored: of several processes that start at once, one is told so.
 */
export async function createFirstApiKey(db: Database, key: string): Promise<boolean> {
  return db.orm.transaction(async (tx) => {
    await tx.execute(sql`LOCK TABLE api_keys IN EXCLUSIVE MODE`);
    const existing = await tx.select({ id: apiKeys.id }).from(apiKeys).limit(1);
    if (existing.length > 0) return false;
    await insertApiKey({ orm: tx }, key, { name: "first", scopes: ["read", "write", "admin"], expiresAt: null });
    return true;
  });
}
