// The revision of each part of the configuration, which tells a copy whether it is old. Triggers count it up with every
// change, and a change holds the row's lock until it commits: revisions are committed in their order.

import type { ConfigurationPartName } from "../schema.ts";
import { type Connection, type Database, runPrepared } from "./database.ts";

/** @returns the revision of a part, which grows with every committed change of it. */
export async function readRevision(db: Database | Connection, part: ConfigurationPartName): Promise<number> {
  const [row] = await runPrepared<{ revision: string }>(db, {
    name: "read-revision",
    text: "SELECT revision FROM configuration_parts WHERE part = $1",
    values: [part],
  });
  return Number(row?.revision ?? 0);
}

/** Keeps a part from changing until the transaction ends. Changes that are under way are waited for. */
export async function holdRevision(tx: Connection, part: ConfigurationPartName): Promise<void> {
  const text = "SELECT FROM configuration_parts WHERE part = $1 FOR SHARE";
  await runPrepared(tx, { name: "hold-revision", text, values: [part] });
}
