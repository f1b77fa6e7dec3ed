// The processes and the directory of a harness, which all go when this process ends, however it ends.

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { endWithProcess } from "./end-with-process.ts";

export interface ProcessGroup {
  directory: string;
  /** Adds a process. @param pid called when this process ends; returns undefined while there is no such process. */
  add: (pid: () => number | undefined, signal: NodeJS.Signals) => void;
  /**
   * Adds work for the end of this process, after the members have been told to end.
   * @returns a function that does the work now, and not a second time.
   */
  atEnd: (work: () => void) => () => void;
  /** Keeps the directory when this process ends. */
  keep: () => void;
  /** Forgets the members and removes the directory. Call it when every member has ended. */
  remove: () => void;
}

export function openProcessGroup(): ProcessGroup {
  let directory: string | undefined = mkdtempSync(join(tmpdir(), "sluice-"));
  const path = directory;
  // When this process runs as root, PostgreSQL runs as another user and must be able to enter the directory.
  chmodSync(path, 0o711);
  const works = new Set<() => void>();
  const members: { pid: () => number | undefined; signal: NodeJS.Signals }[] = [];
  endWithProcess(
    {
      *[Symbol.iterator]() {
        for (const { pid, signal } of members) {
          const current = pid();
          if (current !== undefined) yield [current, signal] as const;
        }
      },
    },
    () => {
      for (const work of works) work();
      return directory;
    },
  );
  return {
    directory: path,
    add: (pid, signal) => void members.push({ pid, signal }),
    atEnd: (work) => {
      works.add(work);
      return () => {
        if (works.delete(work)) work();
      };
    },
    keep: () => {
      directory = undefined;
    },
    remove: () => {
      members.length = 0;
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
      directory = undefined;
    },
  };
}
