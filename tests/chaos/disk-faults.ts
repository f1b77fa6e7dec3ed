// These faults fill the disk under a store. Only root on Linux can mount a small disk for it.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { ProcessGroup } from "../support/process-group.ts";
import { runSql } from "../support/sql.ts";
import { until } from "../support/wait.ts";
import { type Fault, type Prepared, TAKEOVER_LIMIT_MS } from "./fault.ts";
import { readStatus, type Stage, type StoreName } from "./stage.ts";

/** An empty cluster of PostgreSQL has 40 MiB, and its log of writes may take 80 MiB before the first checkpoint. */
const DISK_BYTES = { redis: 48 * 1024 * 1024, postgres: 256 * 1024 * 1024 };
const FILLER_CHUNK = Buffer.alloc(64 * 1024, 1);
/** How soon a gateway must say that it cannot store. */
const SAY_LIMIT_MS = 5_000;
/** PostgreSQL may need its log of writes for the recovery from a crash before it answers. */
const ANSWER_LIMIT_MS = 5_000;

function onSmallDisk(store: StoreName): NonNullable<Fault["prepare"]> {
  return (directory: string, group: ProcessGroup): Prepared | string => {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return "only root on Linux can mount a small disk";
    const disk = `${directory}-disk`;
    mkdirSync(disk);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES[store]}`, "tmpfs", disk], { stdio: "ignore" });
    } catch {
      return "a small disk cannot be mounted here";
    }
    const cleanUp = group.atEnd(() => {
      // `--lazy`, because a process that is about to end may still have a file open there.
      execFileSync("umount", ["--lazy", disk], { stdio: "ignore" });
      rmSync(disk, { recursive: true, force: true });
    });
    return { options: { storeDirectory: { [store]: join(disk, store) } }, cleanUp };
  };
}

const fillerOf = (directory: string) => join(directory, "..", "filler");

function fill(directory: string): void {
  for (let size = FILLER_CHUNK.length; size >= 1; size = Math.floor(size / 16)) {
    try {
      for (;;) writeFileSync(fillerOf(directory), FILLER_CHUNK.subarray(0, size), { flag: "a" });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
    }
  }
}

const isUnwell = async (readyUrl: string) => (await readStatus(readyUrl)) !== "ready";

/** Resolves when every gateway says that it is not wholly ready. */
async function untilEveryGatewaySays({ readyUrls }: Stage): Promise<void> {
  await Promise.all(readyUrls.map((url) => until(() => isUnwell(url), { timeoutMs: SAY_LIMIT_MS * 2 })));
}

export const diskFaults: Fault[] = [
  {
    name: "redis-disk-full",
    about: "the disk of Redis' append file is full; Redis ends, and is started again when there is room",
    holdMs: 3_000,
    prepare: onSmallDisk("redis"),
    inject: async ({ redis }) => {
      fill(redis.directory);
      // Redis with `appendfsync always` ends when a write fails.
      await redis.ended();
    },
    undo: async ({ redis }) => {
      rmSync(fillerOf(redis.directory));
      await redis.start();
    },
  },
  {
    name: "postgres-disk-full",
    about: "the disk of PostgreSQL is full until every gateway says so, within 5 s, and 3 s longer",
    holdMs: 3_000,
    prepare: onSmallDisk("postgres"),
    inject: async (stage) => {
      fill(stage.postgres.directory);
      const startedMs = performance.now();
      await untilEveryGatewaySays(stage).catch(() => undefined);
      const saidMs = Math.round(performance.now() - startedMs);
      return async (limitFactor) =>
        saidMs <= SAY_LIMIT_MS * limitFactor ? [] : [`the gateways were ready for ${saidMs} ms on a full disk`];
    },
    undo: async ({ postgres }) => {
      rmSync(fillerOf(postgres.directory));
      try {
        await until(() => runSql(postgres.url, "SELECT"), { timeoutMs: ANSWER_LIMIT_MS });
      } catch {
        // It has ended, because it could not recover from a crash for want of room.
        await postgres.end("SIGQUIT");
        await postgres.start();
      }
    },
    recoverLimitMs: TAKEOVER_LIMIT_MS,
  },
];
