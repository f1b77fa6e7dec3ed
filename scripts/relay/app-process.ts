// An app runs as a child process. This file waits until the app is ready, starts it again when it dies, and stops it by
// SIGTERM.

import { type ChildProcess, spawn } from "node:child_process";
import { writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import { httpGet } from "./http-get.ts";
import { processStart } from "./process-lock.ts";

export interface App {
  name: string;
  /** The path of the app's main.ts or of its bundle. */
  entry: string;
  /** The path of the Node that runs the app; by default the Node of this process. */
  node?: string | undefined;
  readyUrl: string;
  env: NodeJS.ProcessEnv;
  /** The time that the app may take to finish its work in progress. */
  stopLimitMs: number;
  /** The file for the output of the app; by default the output of this process. */
  outputFd?: number;
}

export interface AppProcess {
  /** Resolves when /readyz answers 200. @throws Error when the app ends before that, or takes longer than a minute. */
  waitUntilReady: (signal: AbortSignal) => Promise<void>;
  /** The current process; undefined between the death of one process and the start of the next. */
  identity: () => { pid: number; started: string } | undefined;
  stop: () => Promise<void>;
  kill: () => void;
}

/** These two settings must equal those in the Dockerfile, which gives the reason. The heap size is in MiB. */
const HEAP_FLAGS = ["--max-semi-space-size=8"];
const MALLOC = { MALLOC_ARENA_MAX: "1" };
const READY_LIMIT_MS = 60_000;
const READY_POLL_MS = 25;
const READY_REQUEST_LIMIT_MS = 5_000;
const RESTART_BASE_MS = 500;
const RESTART_CAP_MS = 30_000;
/** If an app ran for this long, its next restart comes after the shortest pause. */
const STABLE_MS = 60_000;

/** @param onRestart is called after each restart, because the app then has another process. */
export function startApp(app: App, onRestart: () => void): AppProcess {
  let child: ChildProcess;
  let exited: Promise<string>;
  let isReady = false;
  let isStopping = false;
  let deaths = 0;
  let pause: NodeJS.Timeout | undefined;

  const output = app.outputFd ?? "inherit";
  const printLine = (line: string) => {
    if (app.outputFd === undefined) console.error(line);
    else writeSync(app.outputFd, `${line}\n`);
  };
  const launch = () => {
    const startedMs = Date.now();
    // The process is detached, because Ctrl-C in the terminal must reach only this process, which stops the apps in
    // their order. The IPC channel tells the app when this process is gone, even after a SIGKILL.
    child = spawn(app.node ?? process.execPath, [...HEAP_FLAGS, app.entry], {
      env: { ...MALLOC, ...app.env },
      detached: true,
      stdio: ["ignore", output, output, "ipc"],
    });
    exited = new Promise((resolve) => {
      const end = (reason: string) => {
        resolve(reason);
        if (isReady && !isStopping) restart(reason, startedMs);
      };
      child.once("error", (error) => end(error.message));
      child.once("exit", (code, signal) => end(signal === null ? `exit code ${code}` : signal));
    });
  };
  const restart = (reason: string, startedMs: number) => {
    deaths = Date.now() - startedMs > STABLE_MS ? 1 : deaths + 1;
    const pauseMs = Math.min(RESTART_CAP_MS, RESTART_BASE_MS * 2 ** (deaths - 1));
    printLine(`The ${app.name} ended unexpectedly (${reason}). Starting it again in ${pauseMs / 1000} s.`);
    pause = setTimeout(() => {
      launch();
      onRestart();
    }, pauseMs);
  };
  launch();

  return {
    waitUntilReady: async (signal) => {
      let answer = "no answer";
      const deadlineMs = Date.now() + READY_LIMIT_MS;
      while (Date.now() < deadlineMs) {
        signal.throwIfAborted();
        const reason = await Promise.race([exited, delay(READY_POLL_MS)]);
        if (typeof reason === "string")
          throw new Error(`The ${app.name} did not start (${reason}). Its last log lines give the reason.`);
        const { status, body } = await httpGet(app.readyUrl, READY_REQUEST_LIMIT_MS);
        if (status === 200) {
          isReady = true;
          return;
        }
        if (status !== 0) answer = `${status} ${body}`;
      }
      throw new Error(
        `The ${app.name} is not ready after ${READY_LIMIT_MS / 1000} s: ${app.readyUrl} answered ${answer}. Its log gives the reason.`,
      );
    },
    identity: () => {
      const { pid } = child;
      return pid === undefined || hasEnded(child) ? undefined : { pid, started: processStart(pid) };
    },
    stop: async () => {
      isStopping = true;
      clearTimeout(pause);
      if (hasEnded(child)) return;
      child.kill("SIGTERM");
      const limit = setTimeout(() => {
        printLine(
          `The ${app.name} did not stop in ${app.stopLimitMs / 1000} s and is killed. Its unfinished work is repeated.`,
        );
        child.kill("SIGKILL");
      }, app.stopLimitMs);
      await exited;
      clearTimeout(limit);
    },
    kill: () => {
      isStopping = true;
      clearTimeout(pause);
      child.kill("SIGKILL");
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}
