// A PostgreSQL for one measurement of reads. It runs without fsync, which matters only for writes, and is removed at the
// end.

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startEmbeddedPostgres } from "../scripts/postgres/embedded.ts";

/** Opens the PostgreSQL of DATABASE_URL, which is kept, or else a new one. */
export async function openPostgres(): Promise<{ url: string; stop: () => Promise<void> }> {
  const given = process.env["DATABASE_URL"];
  if (given !== undefined) return { url: given, stop: async () => {} };
  const directory = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  // When this process is root, PostgreSQL runs as another user and must enter the directory.
  chmodSync(directory, 0o711);
  const settings = { fsync: "off", max_wal_size: "4GB" };
  const server = await startEmbeddedPostgres({ dataDir: join(directory, "postgres"), settings });
  const stop = async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  return { url: server.url, stop };
}
