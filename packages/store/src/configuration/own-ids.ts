// Tells which of some ids belong to this database. Jobs that several relays left in one place are told apart by them.

import type { Database } from "../connection/database.ts";

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * @param ids may be any text. One that is not a UUID belongs to no database.
 * @returns those that are sources, or targets, here.
 */
export async function findOwnIds(
  db: Database,
  table: "sources" | "targets",
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await db.pool.query<{ id: string }>(`SELECT id FROM ${table} WHERE id = ANY($1::uuid[])`, [
    ids.filter((id) => UUID.test(id)),
  ]);
  return new Set(rows.map(({ id }) => id));
}
