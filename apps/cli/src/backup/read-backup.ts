// Restores a backup: migrates an empty database to the schema of the backup, loads everything in one transaction, and
// migrates on to the schema of this version.

import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { isDeepStrictEqual } from "node:util";

import { openRestoredIntake } from "@sluice/queue/restored-intake";
import { errorText } from "@sluice/shared/runtime/error-text";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { BackupLayout, BackupTable } from "@sluice/store/backup/backup-layout";
import { openRestoredDatabase, type RestoredDatabase } from "@sluice/store/backup/restored-database";
import { hasSqlState } from "@sluice/store/connection/postgres-errors";

import { type ArchiveHeader, INTAKE_SECTION } from "./archive-format.ts";
import { type ArchivePart, readArchive } from "./archive-reader.ts";
import { parseCopyRows } from "./copy-rows.ts";

export interface RestoreOptions {
  /** Of the owner of the schema. */
  databaseUrl: string;
  /** Looks at the header before anything is changed, and brings the database to its schema. */
  begin: (header: ArchiveHeader) => Promise<void>;
  /** Runs when all data is loaded and right, before it is committed. */
  beforeCommit: () => void;
  onTable: (name: string) => void;
}

export interface RestoreSummary {
  relay_id: string;
  version: string;
  made_at: string;
  tables: number;
  /** Acknowledged events wait in them. They are in the queue in PostgreSQL now. */
  intake_jobs: number;
}

const INSUFFICIENT_PRIVILEGE = "42501";
/** Jobs that are added at once; one may be a megabyte. */
const JOBS_AT_ONCE = 50;

/** Reads a backup to its end. @returns its header. @throws SluiceError when it is damaged. */
export async function checkArchive(source: Readable): Promise<ArchiveHeader> {
  let header: ArchiveHeader | undefined;
  for await (const part of readArchive(source)) if (part.kind === "header") ({ header } = part);
  if (header === undefined) throw new Error("The reader let a backup without a header pass");
  return header;
}

/** @throws SluiceError after which nothing has changed but the schema. */
export async function readBackup(source: Readable, options: RestoreOptions): Promise<RestoreSummary> {
  const parts = readArchive(source);
  const first = await parts.next();
  if (first.done === true || first.value.kind !== "header") throw new Error("The reader let another part come first");
  const { header } = first.value;
  await options.begin(header);
  const database = await openRestoredDatabase(options.databaseUrl);
  try {
    const loaded = await loadParts(parts, database, options);
    options.beforeCommit();
    await database.commit();
    const { relay_id, version, made_at } = header;
    return { relay_id, version, made_at, ...loaded };
  } catch (error) {
    throw explain(error);
  } finally {
    await database.close();
  }
}

async function loadParts(
  parts: AsyncGenerator<ArchivePart>,
  database: RestoredDatabase,
  { onTable }: RestoreOptions,
): Promise<{ tables: number; intake_jobs: number }> {
  let layout: BackupLayout | undefined;
  let tables = 0;
  let jobs = 0;
  for await (const part of parts) {
    if (part.kind === "layout") {
      if (layout !== undefined) throw misplaced("layout");
      ({ layout } = part);
      await database.prepare(layout);
    }
    if (part.kind !== "table") continue;
    const { table } = part;
    if (table.name === INTAKE_SECTION) {
      jobs += await addJobs(rowsOfTable(parts), database);
      continue;
    }
    // In the order of the layout, because rows refer to rows of tables before them.
    if (!isDeepStrictEqual(layout?.tables[tables], table)) throw misplaced(table.name);
    onTable(table.name);
    await copyRows(rowsOfTable(parts), table, database);
    tables++;
  }
  if (layout === undefined || tables < layout.tables.length) throw misplaced("end");
  return { tables, intake_jobs: jobs };
}

const misplaced = (what: string) =>
  new SluiceError("invalid_backup", `The backup does not have the tables of its layout (${what}); it is damaged`);

/** The rows of one table. Does not end the parts. */
async function* rowsOfTable(parts: AsyncGenerator<ArchivePart>): AsyncGenerator<Buffer> {
  for (;;) {
    const next = await parts.next();
    if (next.done === true || next.value.kind !== "rows") return;
    yield next.value.rows;
  }
}

async function copyRows(rows: AsyncIterable<Buffer>, table: BackupTable, database: RestoredDatabase): Promise<void> {
  const copy: Writable = database.loadTable(table);
  const ended = finished(copy);
  // Thrown by the next wait.
  ended.catch(() => undefined);
  for await (const block of rows) {
    if (copy.destroyed) break;
    if (!copy.write(block)) await Promise.race([once(copy, "drain"), ended]);
  }
  if (!copy.destroyed) copy.end();
  await ended;
}

async function addJobs(rows: AsyncIterable<Buffer>, { client }: RestoredDatabase): Promise<number> {
  const intake = await openRestoredIntake(client);
  let count = 0;
  let waiting: unknown[] = [];
  for await (const block of rows) {
    for (const [text] of parseCopyRows(block.toString("utf8"))) {
      waiting.push(readJob(text ?? ""));
      count++;
      if (waiting.length < JOBS_AT_ONCE) continue;
      await intake.add(waiting);
      waiting = [];
    }
  }
  if (waiting.length > 0) await intake.add(waiting);
  await intake.close();
  return count;
}

/** Another program may have written the job. Its text is kept, and a worker sets it aside. */
function readJob(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function explain(error: unknown): unknown {
  if (error instanceof SluiceError) return error;
  if (hasSqlState(error, INSUFFICIENT_PRIVILEGE)) {
    return new SluiceError(
      "forbidden",
      `The role of DATABASE_URL may not restore (${errorText(error)}). Use the owner of the schema, with which you ` +
        "migrate: docs/runbooks/restore.md",
      { cause: error },
    );
  }
  // Classes 22 and 23: PostgreSQL refuses a row.
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!/^2[23]/.test(code)) return error;
  return new SluiceError("invalid_backup", `The backup has a row that PostgreSQL refuses (${errorText(error)})`, {
    cause: error,
  });
}
