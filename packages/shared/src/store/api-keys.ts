// API keys: only their SHA-256 is stored. A key is 256 random bits, so looking a hash up leaks nothing useful
// about timing and needs no slow hash.

import { createHash, randomBytes } from "node:crypto";
import { sql } from "drizzle-orm";

import { newId } from "../ids.ts";
import { apiKeys } from "../schema.ts";
import type { Database } from "./database.ts";

export type Scope = "read" | "write" | "admin";

const PREFIX = "sluice_";

export function generateApiKey(): string {
  return PREFIX + randomBytes(32).toString("base64url");
}

export function hashApiKey(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

/** The scopes of a key that is neither expired nor revoked; undefined when there is no such key. */
export async function findApiKey(db: Database, key: string): Promise<Scope[] | undefined> {
  const { rows } = await db.pool.query<{ scopes: Scope[] }>({
    name: "find-api-key",
    text: `SELECT scopes FROM api_keys
           WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
    values: [hashApiKey(key)],
  });
  return rows[0]?.scopes;
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
    await tx
      .insert(apiKeys)
      .values({ id: newId(), name: "first", hash: hashApiKey(key), scopes: ["read", "write", "admin"] });
    return true;
  });
}
