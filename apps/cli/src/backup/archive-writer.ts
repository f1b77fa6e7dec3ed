// Writes a backup as a stream: what it holds in memory does not grow with the database.

import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

import type { BackupLayout, BackupTable } from "@sluice/store/backup/backup-layout";

import { type ArchiveHeader, END_MARK, HEADER_MARK, INTAKE_SECTION, LAYOUT_MARK, ROWS_END } from "./archive-format.ts";

export class ArchiveWriter {
  readonly #gzip = createGzip();
  readonly #hash = createHash("sha256");
  readonly #written: Promise<void>;
  #bytes = 0;

  /** @param end whether the destination ends with the backup, as a file does and stdout does not. */
  constructor(destination: Writable, { end }: { end: boolean }) {
    this.#written = pipeline(this.#gzip, destination, { end });
    // The next write throws the error.
    this.#written.catch(() => undefined);
  }

  /** The size of what was written, before compression. */
  get bytes(): number {
    return this.#bytes;
  }

  async writeHeader(header: ArchiveHeader): Promise<void> {
    await this.#write(`${HEADER_MARK}${JSON.stringify(header)}\n`);
  }

  async writeLayout(layout: BackupLayout): Promise<void> {
    await this.#write(`${LAYOUT_MARK}${JSON.stringify(layout)}\n`);
  }

  async writeTable({ name, columns }: BackupTable, rows: AsyncIterable<Buffer>): Promise<void> {
    const quoted = columns.map((column) => `"${column}"`).join(", ");
    await this.#write(`\nCOPY "${name}" (${quoted}) FROM stdin;\n`);
    for await (const block of rows) await this.#write(block);
    await this.#write(ROWS_END);
  }

  /** @param jobs the data of each job, as text. @returns how many there were. */
  async writeIntakeJobs(jobs: AsyncIterable<string>): Promise<number> {
    let count = 0;
    const rows = async function* () {
      for await (const data of jobs) {
        count++;
        yield Buffer.from(`${escapeCopyText(data)}\n`);
      }
    };
    await this.writeTable({ name: INTAKE_SECTION, columns: ["data"] }, rows());
    return count;
  }

  /** Resolves when the destination has everything. */
  async finish(): Promise<void> {
    await this.#write("\n");
    this.#gzip.end(`${END_MARK}${this.#hash.digest("hex")}\n`);
    await this.#written;
  }

  /** Leaves the backup unfinished. */
  abort(): void {
    this.#gzip.destroy();
  }

  async #write(part: string | Buffer): Promise<void> {
    this.#hash.update(part);
    this.#bytes += Buffer.byteLength(part);
    if (this.#gzip.destroyed) await this.#written;
    if (!this.#gzip.write(part)) await Promise.race([once(this.#gzip, "drain"), this.#written]);
  }
}

/** https://www.postgresql.org/docs/current/sql-copy.html, "Text Format" */
function escapeCopyText(text: string): string {
  return text
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", String.raw`\n`)
    .replaceAll("\r", String.raw`\r`)
    .replaceAll("\t", String.raw`\t`);
}
