// Starts the processes of a stage, which all end with it.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { App } from "../../scripts/relay/app-process.ts";
import { type Member, startMember } from "../support/member.ts";
import type { ProcessGroup } from "../support/process-group.ts";

/** Starts a process whose output goes into the log `name.log` of the stage. */
export type Launch = (app: Omit<App, "outputFd">) => Member;

/** The only variables that the processes inherit. A DATABASE_URL_FILE of the terminal must not reach them. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "NODE_COMPILE_CACHE"];

/** @param atEnd takes what has to be done when the stage ends. */
export function createLaunch(
  directory: string,
  group: ProcessGroup,
  atEnd: (work: () => Promise<unknown>) => void,
): Launch {
  return (app) => {
    const inherited = Object.fromEntries(INHERITED.map((name) => [name, process.env[name]]));
    const member = startMember({ ...app, env: { ...inherited, ...app.env } }, join(directory, `${app.name}.log`));
    group.add(member.pid, "SIGKILL");
    // A kill ends a hung process, too. Nobody needs the work in progress any more.
    atEnd(async () => {
      const stopped = member.stop();
      if (member.pid() !== undefined) member.signal("SIGKILL");
      await stopped;
    });
    return member;
  };
}

/** Writes a program that starts Node with a limit on the open files and sockets. @returns its path. */
export function writeLimitedNode(directory: string, maxOpenFiles: number): string {
  const path = join(directory, "limited-node");
  // Node raises its soft limit to the hard one, so both are set.
  writeFileSync(path, `#!/bin/sh\nulimit -n ${maxOpenFiles}\nexec "${process.execPath}" "$@"\n`, { mode: 0o755 });
  return path;
}
