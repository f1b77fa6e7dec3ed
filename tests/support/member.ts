// An app of a harness that can be killed, hung, restarted in an orderly way, and is started again when it dies, as
// a supervisor does.

import { mkdirSync, openSync, closeSync } from "node:fs";
import { dirname } from "node:path";

import { type App, type AppProcess, startApp } from "../../scripts/relay/app-process.ts";
import { until } from "./wait.ts";

export interface Member {
  name: string;
  pid: () => number | undefined;
  /** Fulfils when it answers, also after a restart. */
  waitUntilReady: () => Promise<void>;
  /** Told to stop, waited for, and started anew. */
  restart: () => Promise<void>;
  /** SIGKILL, or SIGSTOP and SIGCONT. @throws Error when there is no process. */
  signal: (signal: NodeJS.Signals) => void;
  stop: () => Promise<void>;
}

const READY_LIMIT_MS = 180_000;

export function startMember(app: Omit<App, "outputFd">, logPath: string): Member {
  mkdirSync(dirname(logPath), { recursive: true });
  const outputFd = openSync(logPath, "a");
  let current: AppProcess;
  const start = () => {
    current = startApp({ ...app, outputFd }, () => undefined);
  };
  start();
  const pid = () => current.identity()?.pid;
  const waitUntilReady = async () => {
    await current.waitUntilReady(AbortSignal.timeout(READY_LIMIT_MS));
  };
  return {
    name: app.name,
    pid,
    waitUntilReady: () =>
      until(() => waitUntilReady().then(() => true), { timeoutMs: READY_LIMIT_MS }).then(() => undefined),
    restart: async () => {
      await current.stop();
      start();
      await waitUntilReady();
    },
    signal: (signal) => {
      const found = pid();
      if (found === undefined) throw new Error(`There is no process of ${app.name}`);
      process.kill(found, signal);
    },
    stop: async () => {
      await current.stop();
      closeSync(outputFd);
    },
  };
}
