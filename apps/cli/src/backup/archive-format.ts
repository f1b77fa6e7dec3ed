// The format of a backup, which docs/backup-format.md describes: SQL text as pg_dump writes it, compressed by gzip. A
// header, the rows of each table between COPY and `\.`, and a checksum of everything before it.

import { z } from "zod";

import { sealedKeySchema } from "./sealed-key.ts";

export const FORMAT = 1;
export const HEADER_MARK = "-- sluice-backup ";
export const LAYOUT_MARK = "-- layout ";
export const END_MARK = "-- end sha256 ";
/** The end of the rows of a table. */
export const ROWS_END = "\\.\n";
/** The section with the data of jobs, one JSON for each row. */
export const INTAKE_SECTION = "intake_jobs";

const name = z.string().min(1).max(63);

export const headerSchema = z.object({
  format: z.literal(FORMAT),
  version: z.string(),
  made_at: z.iso.datetime(),
  relay_id: z.uuid(),
  /** The `when` of the last migration. */
  schema: z.number().int(),
  /** In base64; null when no process has used the database yet. */
  master_key_check: z.base64().nullable(),
  master_key: sealedKeySchema.nullable(),
  /** Settings of the process that made the backup, without the secrets. */
  settings: z.record(z.string(), z.string()),
});

export type ArchiveHeader = z.infer<typeof headerSchema>;

export const layoutSchema = z.object({
  tables: z.array(z.object({ name, columns: z.array(name) })),
  partitions: z.array(z.object({ table: name, name, from: z.string(), to: z.string() })),
  sequences: z.array(z.object({ name, lastValue: z.string(), isCalled: z.boolean() })),
});
