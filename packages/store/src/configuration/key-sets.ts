// The last good key set of each endpoint, as it was published. Gateways verify with it while the endpoint is down, also
// a gateway that has just started.

import { sql } from "drizzle-orm";

import type { Database } from "../connection/database.ts";
import { keySets } from "../schema.ts";

export interface StoredKeySet {
  uri: string;
  document: unknown;
  fetchedAt: Date;
}

export async function loadKeySets(db: Database): Promise<StoredKeySet[]> {
  return db.orm.select().from(keySets);
}

/** Stores a key set unless a newer one is stored: several gateways may fetch at the same time. */
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
