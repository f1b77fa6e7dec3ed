import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { openLog } from "@sluice/shared/runtime/log";
import { MasterKey } from "@sluice/shared/settings/master-key";

import { until } from "../../../../tests/support/wait.ts";
import { snapshotPath } from "./snapshot-file.ts";
import { readSnapshot, SnapshotKeeper } from "./snapshot-keeper.ts";
import { sealSnapshot, type SourceSnapshot } from "./source-snapshot.ts";

const masterKey = new MasterKey(randomBytes(32));

const snapshotAt = (ms: number): SourceSnapshot => ({
  confirmedAt: new Date(ms),
  relayId: undefined,
  sources: [],
  keySets: [],
});

async function openFolder() {
  const folder = await mkdtemp(join(tmpdir(), "sluice-snapshot-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const lines: { msg: string; reason?: string; err?: { code?: string } }[] = [];
  const log = openLog("gateway", "info", { write: (line) => void lines.push(JSON.parse(line)) });
  // The folder does not exist yet. The keeper creates it.
  const dataDir = join(folder, "data");
  const read = () => readSnapshot(dataDir, masterKey, log);
  const startKeeper = (readCurrent: () => SourceSnapshot | undefined, dir = dataDir) => {
    const keeper = new SnapshotKeeper({ dataDir: dir, masterKey, readCurrent, log });
    onTestFinished(() => keeper.close());
    keeper.start();
    return keeper;
  };
  return { dataDir, path: snapshotPath(dataDir), lines, read, startKeeper };
}

test("the snapshot is on disk at once, readable for its owner only, and again after each change", async () => {
  const { dataDir, path, lines, read, startKeeper } = await openFolder();
  expect(await read()).toBeUndefined();
  let current = snapshotAt(Date.now());
  const keeper = startKeeper(() => current);
  await until(async () => (await read())?.confirmedAt, {
    accept: (at) => at?.getTime() === current.confirmedAt.getTime(),
  });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
  current = { ...current, keySets: [{ uri: "u", document: { keys: [] }, fetchedAt: new Date(7) }] };
  await until(async () => (await read())?.keySets, { accept: (keySets) => keySets?.length === 1 });
  // At the end the keeper also writes a snapshot of which only the confirmation changed.
  current = { ...current, confirmedAt: new Date(current.confirmedAt.getTime() + 1_000) };
  await keeper.close();
  expect((await read())?.confirmedAt).toEqual(current.confirmedAt);
  expect(await readdir(dataDir)).toEqual(["sources.snapshot"]);
  expect(lines).toEqual([]);
});

test("a gateway without PostgreSQL does not overwrite the file of another gateway", async () => {
  const { dataDir, path, startKeeper } = await openFolder();
  await mkdir(dataDir);
  await writeFile(path, "another's");
  await startKeeper(() => undefined).close();
  expect(await readFile(path, "utf8")).toBe("another's");
});

test("a read-only folder causes one warning", async () => {
  const { path, dataDir, lines, startKeeper } = await openFolder();
  await mkdir(dataDir);
  await writeFile(path, "a file, where a folder is asked for");
  const keeper = startKeeper(() => snapshotAt(Date.now()), path);
  await until(() => lines.length);
  await keeper.close();
  expect(lines.map(({ msg }) => msg)).toEqual(["source snapshot not written: a restart waits for PostgreSQL"]);
});

test("the draft of a killed gateway is removed, and a draft under way is not", async () => {
  const { dataDir, path, startKeeper } = await openFolder();
  await mkdir(dataDir);
  await writeFile(`${path}.0123`, "old");
  await utimes(`${path}.0123`, 0, 0);
  await writeFile(`${path}.4567`, "new");
  startKeeper(() => snapshotAt(Date.now()));
  const left = ["sources.snapshot", "sources.snapshot.4567"];
  await until(async () => (await readdir(dataDir)).toSorted().join(), { accept: (names) => names === left.join() });
});

test("an unusable snapshot is ignored with a warning that says why", async () => {
  const { dataDir, path, lines, read } = await openFolder();
  await mkdir(dataDir);
  const file = sealSnapshot(masterKey, snapshotAt(Date.now()));
  const old = sealSnapshot(masterKey, snapshotAt(Date.now() - 8 * 86_400_000));
  const foreign = sealSnapshot(new MasterKey(randomBytes(32)), snapshotAt(Date.now()));
  for (const content of [Buffer.alloc(0), file.subarray(0, -1), foreign, old]) {
    await writeFile(path, content);
    expect(await read()).toBeUndefined();
  }
  await rm(path);
  await mkdir(path);
  expect(await read()).toBeUndefined();
  expect(new Set(lines.map(({ msg }) => msg))).toEqual(new Set(["source snapshot ignored"]));
  expect(lines.map(({ reason, err }) => reason ?? err?.code)).toEqual([
    "it is not a snapshot",
    "it is damaged, or was written with another MASTER_KEY",
    "it is damaged, or was written with another MASTER_KEY",
    "it is older than a week",
    "EISDIR",
  ]);
});
