// API keys, of which only the SHA-256 is stored. A key is 256 random bits, so that a fast hash is safe and the time of
// a look-up tells an attacker nothing. Every request looks its key up, so that a revocation works everywhere at once.

import { createHash } from "node:crypto";

import { and, desc, eq, isNull, sql } from "drizzle-orm";

import { API_KEY_PREFIX } from "@sluice/shared/domain/api-key";
import { newId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";

import type { Connection, Database } from "../connection/database.ts";
import { type Page, withinPage } from "../log/page.ts";
import { apiKeys, type Scope } from "../schema.ts";
import { requireName, withName } from "./names.ts";

/** A key as it is stored, without its hash. */
export type ApiKeyRecord = Omit<typeof apiKeys.$inferSelect, "hash">;

export interface ApiKeySettings {
  name: string;
  /** None for a key that is for one target. */
  scopes: Scope[];
  /** The target that the key is for; null for a key with scopes. */
  targetId?: string | null;
  /** Null when the key never expires. */
  expiresAt: Date | null;
  /** The file of settings that manages the key; null for none. */
  managedBy?: string | null;
}

/** The holder of a valid key, as requests know it. */
export interface KeyHolder extends Omit<ApiKeySettings, "managedBy"> {
  id: string;
  targetId: string | null;
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
  managedBy: apiKeys.managedBy,
  targetId: apiKeys.targetId,
};

export function hashApiKey(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

/** The form in which a key is shown after it was made: `sluice_...mNoP`. */
function truncateApiKey(key: string): string {
  return `${API_KEY_PREFIX}...${key.slice(-4)}`;
}

interface FoundKey {
  id: string;
  name: string;
  scopes: Scope[];
  expires_at: Date | null;
  target_id: string | null;
}

/** @returns the holder of a key; undefined when the key is unknown, expired or revoked. */
export async function findApiKey(db: Database, key: string): Promise<KeyHolder | undefined> {
  const { rows } = await db.pool.query<FoundKey>({
    name: "find-api-key",
    text: `SELECT id, name, scopes, expires_at, target_id FROM api_keys
           WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
    values: [hashApiKey(key)],
  });
  const row = rows[0];
  return row && { id: row.id, name: row.name, scopes: row.scopes, expiresAt: row.expires_at, targetId: row.target_id };
}

/** Whether a key that was valid is valid still: not revoked, and not expired. */
export async function isKeyValid(db: Database, id: string): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: "is-key-valid",
    text: `SELECT FROM api_keys WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
    values: [id],
  });
  return rowCount === 1;
}

/** Records that a key was used. Writes at most once a minute, also when several gateways call it. */
export async function noteKeyUse(db: Database, id: string): Promise<void> {
  await db.pool.query({
    name: "note-key-use",
    text: `UPDATE api_keys SET last_used_at = now()
           WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
    values: [id],
  });
}

/** @param name the name that a listed key must have; undefined for all keys. A revoked key keeps its name. */
export async function listApiKeys(db: Connection, page: Page, name?: string): Promise<ApiKeyRecord[]> {
  return db.orm
    .select(columns)
    .from(apiKeys)
    .where(and(withName(apiKeys.name, name), withinPage(apiKeys.id, page)))
    .orderBy(desc(apiKeys.id))
    .limit(page.limit);
}

export async function getApiKey(db: Connection, id: string): Promise<ApiKeyRecord | undefined> {
  return (await db.orm.select(columns).from(apiKeys).where(eq(apiKeys.id, id)))[0];
}

/**
 * MUST run in a transaction, which an error undoes.
 * @returns the id of the new key.
 * @throws SluiceError `name_taken` when a key that is not revoked has the name.
 */
export async function insertApiKey(tx: Connection, key: string, settings: ApiKeySettings): Promise<string> {
  const id = newId();
  const [row] = await tx.orm
    .insert(apiKeys)
    .values({ id, ...settings, hash: hashApiKey(key), truncated: truncateApiKey(key) })
    .returning({ name: apiKeys.name });
  requireName("API key", settings.name, row?.name);
  return id;
}

/** Locks the key that has a name and is not revoked. @returns also whether it is the given key. */
export async function lockNamedKey(
  tx: Connection,
  name: string,
  key: string,
): Promise<(ApiKeyRecord & { isGiven: boolean }) | undefined> {
  const [row] = await tx.orm
    .select({ ...columns, hash: apiKeys.hash })
    .from(apiKeys)
    .where(and(eq(apiKeys.name, name), isNull(apiKeys.revokedAt)))
    .for("update");
  if (row === undefined) return undefined;
  const { hash, ...record } = row;
  return { ...record, isGiven: hash.equals(hashApiKey(key)) };
}

/** @returns the name of the key with this text, also when it is revoked. */
export async function findNameOfKey(tx: Connection, key: string): Promise<string | undefined> {
  const found = tx.orm.select({ name: apiKeys.name }).from(apiKeys);
  return (await found.where(eq(apiKeys.hash, hashApiKey(key))))[0]?.name;
}

export async function changeApiKey(
  tx: Connection,
  id: string,
  settings: Pick<ApiKeySettings, "scopes" | "targetId" | "expiresAt" | "managedBy">,
): Promise<void> {
  await tx.orm.update(apiKeys).set(settings).where(eq(apiKeys.id, id));
}

/**
 * Revokes a key at once. A key that is revoked already stays as it is. MUST run in a transaction.
 * @param hasOtherAdmin whether the environment sets an admin key, which is in no table.
 * @returns whether this call revoked the key.
 * @throws SluiceError `last_admin_key` when no other admin key lasts as long as this one.
 */
export async function revokeApiKey(tx: Connection, id: string, hasOtherAdmin: boolean): Promise<boolean> {
  // Locks all admin keys in the order of their ids: when two keys are revoked at once, the second call sees that the
  // first key is revoked.
  const { rows: admins } = await tx.orm.execute<{ id: string; ends_at: string }>(sql`
    SELECT id, coalesce(extract(epoch FROM expires_at), 'infinity') AS ends_at FROM api_keys
    WHERE 'admin' = ANY(scopes) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    ORDER BY id FOR UPDATE`);
  const revoked = admins.find((admin) => admin.id === id);
  const lastsAsLong = (admin: { ends_at: string }) => Number(admin.ends_at) >= Number(revoked?.ends_at);
  if (revoked !== undefined && !hasOtherAdmin && !admins.some((admin) => admin.id !== id && lastsAsLong(admin))) {
    throw new SluiceError(
      "last_admin_key",
      "No other key with the scope admin lasts as long as this one; create one first, or set ADMIN_API_KEY",
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
 * @returns whether it was stored. When several processes start at once, exactly one of them gets true.
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
