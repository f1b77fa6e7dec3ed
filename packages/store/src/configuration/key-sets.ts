// The last good key set of each endpoint, as it was published: served while the endpoint is down, also by a
// gateway that has just started.

import { sql } from "drizzle-orm";

import { keySets } from "../schema.ts";
import type { Database } from "../connection/database.ts";

export interface StoredKeySet {
  uri: string;
  document: unknown;
  fetchedAt: Date;
}

export async function loadKeySets(db: Database): Promise<StoredKeySet[]> {
  return db.orm.select().from(keySets);
}

/** Keeps the newer of two, for gateways that fetch at the same time. */
export async function saveKeySet(db: Database, { uri, document, fetchedAt }: StoredKeySet): Promise<void> {
  await db.orm
    .insert(keySets)
    .values({ uri, document, fetchedAt })
    .onConflictDoUpdate({
      target: keySets.uri,
      set: { document: sql`excluded.document`, fetchedAt: sql`excluded.fetched_at` },
      setWhere: sql`key_sets.fetched_at < excluded.fetched_at`,
    });
}
