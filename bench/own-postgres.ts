// A PostgreSQL for one measurement, removed after it, for those that only ask: without fsync, which is about writing.

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startEmbeddedPostgres } from "../scripts/postgres/embedded.ts";

/** The one of DATABASE_URL, if there is one, which stays. */
export async function openPostgres(): Promise<{ url: string; stop: () => Promise<void> }> {
  const given = process.env["DATABASE_URL"];
  if (given !== undefined) return { url: given, stop: async () => {} };
  const directory = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  // PostgreSQL runs as another user where we are root.
  chmodSync(directory, 0o711);
  const settings = { fsync: "off", max_wal_size: "4GB" };
  const server = await startEmbeddedPostgres({ dataDir: join(directory, "postgres"), settings });
  const stop = async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  return { url: server.url, stop };
}
