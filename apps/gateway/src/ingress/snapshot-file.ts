// Reads and writes the file of the snapshot in DATA_DIR. Each write replaces the whole file at once, so a reader always
// finds a complete snapshot, even if a writer was killed. Several gateways may share the file.

import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

const NAME = "sources.snapshot";
/** A draft of this age comes from a gateway that was killed during a write. */
const MAX_DRAFT_AGE_MS = 3_600_000;

export const snapshotPath = (dataDir: string) => join(dataDir, NAME);

/**
 * @returns undefined when there is no file.
 * @throws Error when the file cannot be read.
 */
export async function readSnapshotFile(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Resolves when the new file is on disk under its name.
 * @throws Error when that fails. The old file stays.
 */
export async function writeSnapshotFile(path: string, content: Buffer): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // A random name, because several gateways may write into the folder at once.
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  try {
    await writeDurably(draft, content);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
  // The rename is on disk only after a sync of the folder.
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeDurably(path: string, content: Buffer): Promise<void> {
  const handle = await open(path, "wx", 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @throws Error when the file cannot be removed. */
export async function removeSnapshotFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Removes the unfinished drafts of gateways that were killed. */
export async function removeOldDrafts(path: string, nowMs: number): Promise<void> {
  const folder = dirname(path);
  const names = await readdir(folder);
  for (const name of names.filter((each) => each.startsWith(`${basename(path)}.`))) {
    const draft = join(folder, name);
    const { mtimeMs } = await stat(draft);
    if (nowMs - mtimeMs > MAX_DRAFT_AGE_MS) await rm(draft, { force: true });
  }
}
