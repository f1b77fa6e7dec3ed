// A gateway or worker of a harness, as a process that is started again when it dies, as a supervisor does. It can be
// killed, hung and restarted in an orderly way.

import { mkdirSync, openSync, closeSync } from "node:fs";
import { dirname } from "node:path";

import { type App, type AppProcess, startApp } from "../../scripts/relay/app-process.ts";
import { until } from "./wait.ts";

export interface Member {
  name: string;
  pid: () => number | undefined;
  /** Fulfils when the app answers, also after a restart. */
  waitUntilReady: () => Promise<void>;
  /** Stops the app in an orderly way until it is restarted. */
  halt: () => Promise<void>;
  /** Stops the app in an orderly way unless it is halted, starts it again, and waits until it is ready. */
  restart: () => Promise<void>;
  /** Sends SIGKILL, SIGSTOP or SIGCONT. @throws Error when the app has no process now. */
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
    halt: () => current.stop(),
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
