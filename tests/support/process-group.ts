// Every process and directory that the harness made, so that all of it ends with this process, however it ends.

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { endWithProcess } from "./end-with-process.ts";

export interface ProcessGroup {
  directory: string;
  /** @param pid as it is when the end comes; undefined while there is none. */
  add: (pid: () => number | undefined, signal: NodeJS.Signals) => void;
  /** Something to do at the end of this process, once its processes are told to end. @returns how to do it now. */
  atEnd: (work: () => void) => () => void;
  /** The directory stays, also at the end of this process. */
  keep: () => void;
  /** When everything in it was ended. */
  remove: () => void;
}

export function openProcessGroup(): ProcessGroup {
  let directory: string | undefined = mkdtempSync(join(tmpdir(), "sluice-"));
  const path = directory;
  // PostgreSQL runs as another user where we are root.
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
