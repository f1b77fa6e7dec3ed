// The snapshot's file in DATA_DIR. It is replaced as a whole: whoever reads it, at whatever moment something was
// killed, reads one that was complete. Several gateways may share it.

import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

const NAME = "sources.snapshot";
/** A draft that is so old was left by a gateway that was killed while it wrote. */
const MAX_DRAFT_AGE_MS = 3_600_000;

export const snapshotPath = (dataDir: string) => join(dataDir, NAME);

/** @returns undefined where there is none. @throws Error when it cannot be read. */
export async function readSnapshotFile(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Resolves when the file is on disk under its name. @throws Error, and the file is the one that it was. */
export async function writeSnapshotFile(path: string, content: Buffer): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Of a name that no other process has, whatever they share.
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  try {
    await writeDurably(draft, content);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
  // The new name is on disk when its folder is.
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

/** Removes what killed gateways left half written. */
export async function removeOldDrafts(path: string, nowMs: number): Promise<void> {
  const folder = dirname(path);
  const names = await readdir(folder);
  for (const name of names.filter((each) => each.startsWith(`${basename(path)}.`))) {
    const draft = join(folder, name);
    const { mtimeMs } = await stat(draft);
    if (nowMs - mtimeMs > MAX_DRAFT_AGE_MS) await rm(draft, { force: true });
  }
}
