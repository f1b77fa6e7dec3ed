// Reads a backup as a stream of parts, and refuses one that is cut off or damaged. Whoever acts on the parts MUST be
// able to undo that: only the part `end` says that all of them were right.

import { createHash } from "node:crypto";
import { type Readable, pipeline } from "node:stream";
import { createGunzip } from "node:zlib";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { BackupLayout, BackupTable } from "@sluice/store/backup/backup-layout";

import {
  type ArchiveHeader,
  END_MARK,
  HEADER_MARK,
  headerSchema,
  LAYOUT_MARK,
  layoutSchema,
  ROWS_END,
} from "./archive-format.ts";

export type ArchivePart =
  | { kind: "header"; header: ArchiveHeader }
  | { kind: "layout"; layout: BackupLayout }
  /** The parts `rows` that follow belong to this table. */
  | { kind: "table"; table: BackupTable }
  /** Whole rows, in PostgreSQL's text format for COPY. */
  | { kind: "rows"; rows: Buffer }
  | { kind: "table_end" }
  | { kind: "end" };

const NEWLINE = 0x0a;
/** Large, because a row may be megabytes long, and is put together from these. */
const CHUNK_BYTES = 1024 * 1024;
/** Lines between tables are short, but for the two with JSON. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const COPY_LINE = /^COPY "([a-z0-9_]+)" \(("[a-z0-9_]+"(?:, "[a-z0-9_]+")*)\) FROM stdin;$/;
const END_LINE = new RegExp(`^${END_MARK}([0-9a-f]{64})$`);

/** @throws SluiceError `invalid_backup` that says what is wrong with the backup. */
export async function* readArchive(source: Readable): AsyncGenerator<ArchivePart> {
  const hash = createHash("sha256");
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  // The iteration below throws the error.
  pipeline(source, gunzip, () => undefined);
  let rest: Buffer = Buffer.alloc(0);
  let isInTable = false;
  let hasBegun = false;
  let hasEnded = false;
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      if (hasEnded) throw damaged("has data after its end");
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (;;) {
        const taken = isInTable ? takeWholeRows(rest) : takeLine(rest);
        if (taken === undefined) break;
        rest = rest.subarray(taken.length);
        if (taken.kind === "line") {
          const part = readLine(taken.text, hasBegun, hash.copy().digest("hex"));
          hash.update(taken.bytes);
          if (part === undefined) continue;
          hasBegun = true;
          isInTable = part.kind === "table";
          // Nothing may come between the checksum and the end of the file.
          if (part.kind === "end") {
            hasEnded = true;
            if (rest.length > 0) throw damaged("has data after its end");
            break;
          }
          yield part;
        } else {
          hash.update(taken.bytes);
          if (taken.kind === "rows") yield { kind: "rows", rows: taken.bytes };
          else {
            isInTable = false;
            yield { kind: "table_end" };
          }
        }
      }
      if (!isInTable && rest.length > MAX_LINE_BYTES) throw damaged("has a line that is too long");
    }
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "Z_BUF_ERROR") throw damaged("is cut off");
    if (code.startsWith("Z_")) throw damaged(`is no intact gzip file (${code})`);
    throw error;
  }
  if (!hasEnded) throw damaged("is cut off");
  yield { kind: "end" };
}

type Taken =
  | { kind: "line"; bytes: Buffer; length: number; text: string }
  | { kind: "rows" | "rows_end"; bytes: Buffer; length: number };

function takeLine(rest: Buffer): Taken | undefined {
  const at = rest.indexOf(NEWLINE);
  if (at === -1) return undefined;
  const bytes = rest.subarray(0, at + 1);
  return { kind: "line", bytes, length: at + 1, text: bytes.toString("utf8", 0, at) };
}

/** Takes the whole rows up to the end of the table, or up to the last line that is complete. */
function takeWholeRows(rest: Buffer): Taken | undefined {
  const end = Buffer.from(ROWS_END);
  if (rest.subarray(0, end.length).equals(end)) return { kind: "rows_end", bytes: end, length: end.length };
  const found = rest.indexOf(`\n${ROWS_END}`);
  const length = (found === -1 ? rest.lastIndexOf(NEWLINE) : found) + 1;
  return length === 0 ? undefined : { kind: "rows", bytes: rest.subarray(0, length), length };
}

/** @returns undefined for a line without a meaning. */
function readLine(text: string, hasBegun: boolean, sha256: string): ArchivePart | undefined {
  if (!hasBegun) {
    if (!text.startsWith(HEADER_MARK)) throw damaged("is no backup of Sluice");
    return { kind: "header", header: readArchiveHeader(text.slice(HEADER_MARK.length)) };
  }
  if (text === "") return undefined;
  if (text.startsWith(LAYOUT_MARK)) {
    const read = layoutSchema.safeParse(parseJsonLine(text.slice(LAYOUT_MARK.length)));
    if (!read.success) throw damaged("has a layout that cannot be read");
    return { kind: "layout", layout: read.data };
  }
  const [, name, columns] = COPY_LINE.exec(text) ?? [];
  if (name !== undefined && columns !== undefined) {
    return { kind: "table", table: { name, columns: columns.split(", ").map((column) => column.slice(1, -1)) } };
  }
  const checksum = END_LINE.exec(text)?.[1];
  if (checksum === undefined) throw damaged("has a line that cannot be read");
  if (checksum !== sha256) throw damaged("does not have the checksum of its data");
  return { kind: "end" };
}

function readArchiveHeader(text: string): ArchiveHeader {
  const json = parseJsonLine(text);
  const read = headerSchema.safeParse(json);
  if (read.success) return read.data;
  const format = typeof json === "object" && json !== null && "format" in json ? json.format : undefined;
  if (typeof format === "number" && format > 1) {
    throw new SluiceError("invalid_backup", `The backup has the format ${format}; use a newer version of Sluice`);
  }
  const [issue] = read.error.issues;
  throw damaged(`has a header that cannot be read (${issue?.path.join(".")}: ${issue?.message})`);
}

function parseJsonLine(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function damaged(what: string): SluiceError {
  return new SluiceError("invalid_backup", `The backup ${what}. Nothing was changed. Use another copy of it`);
}
