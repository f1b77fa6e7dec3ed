// Lists what a file of settings manages.

import { eq, sql } from "drizzle-orm";
import { unionAll } from "drizzle-orm/pg-core";

import type { Database } from "../connection/database.ts";
import { apiKeys, sources, targets } from "../schema.ts";

export interface ManagedResource {
  type: "source" | "target" | "key";
  id: string;
  name: string;
}

/** In the order in which they can be removed. A revoked key is managed by nobody. */
export async function listManaged({ orm }: Database, manager: string): Promise<ManagedResource[]> {
  const type = (name: ManagedResource["type"]) => sql<ManagedResource["type"]>`${sql.raw(`'${name}'`)}`.as("type");
  return unionAll(
    orm
      .select({ type: type("target"), id: targets.id, name: targets.name })
      .from(targets)
      .where(eq(targets.managedBy, manager)),
    orm
      .select({ type: type("source"), id: sources.id, name: sources.name })
      .from(sources)
      .where(eq(sources.managedBy, manager)),
    orm
      .select({ type: type("key"), id: apiKeys.id, name: apiKeys.name })
      .from(apiKeys)
      .where(sql`${apiKeys.managedBy} = ${manager} AND ${apiKeys.revokedAt} IS NULL`),
  );
}
