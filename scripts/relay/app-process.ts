// One app as a child process: waited for until it is ready, started again when it dies, stopped by SIGTERM.

import { type ChildProcess, spawn } from "node:child_process";
import { writeSync } from "node:fs";
import { get } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

import { processStart } from "./process-lock.ts";

export interface App {
  name: string;
  /** Path of its main.ts, or of its bundle. */
  entry: string;
  /** Path of the Node that runs it; ours when not given. */
  node?: string | undefined;
  readyUrl: string;
  env: NodeJS.ProcessEnv;
  /** How long it may take to finish what it has in hand. */
  stopLimitMs: number;
  /** The file that takes its output; ours when not given. */
  outputFd?: number;
}

export interface AppProcess {
  /** Fulfils when /readyz answers 200. @throws Error when the app ends before, or takes too long. */
  waitUntilReady: (signal: AbortSignal) => Promise<void>;
  /** The process of the moment; undefined between a death and the next start. */
  identity: () => { pid: number; started: string } | undefined;
  stop: () => Promise<void>;
  kill: () => void;
}

/** As the image has them: Dockerfile says why. In MiB. */
const HEAP_FLAGS = ["--max-semi-space-size=8"];
const MALLOC = { MALLOC_ARENA_MAX: "1" };
const READY_LIMIT_MS = 60_000;
const READY_POLL_MS = 25;
const RESTART_BASE_MS = 500;
const RESTART_CAP_MS = 30_000;
/** An app that was up for so long starts again from the shortest pause. */
const STABLE_MS = 60_000;

/** @param onRestart after each restart, since the process is another one. */
export function startApp(app: App, onRestart: () => void): AppProcess {
  let child: ChildProcess;
  let exited: Promise<string>;
  let isReady = false;
  let isStopping = false;
  let deaths = 0;
  let pause: NodeJS.Timeout | undefined;

  const output = app.outputFd ?? "inherit";
  const report = (line: string) => {
    if (app.outputFd === undefined) console.error(line);
    else writeSync(app.outputFd, `${line}\n`);
  };
  const launch = () => {
    const startedMs = Date.now();
    // Detached: Ctrl-C in the terminal must reach the launcher alone, which stops the apps in their order. The
    // channel tells the app when the launcher is gone, however it went.
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
    report(`The ${app.name} ended unexpectedly (${reason}). Starting it again in ${pauseMs / 1000} s.`);
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
          throw new Error(`The ${app.name} did not start (${reason}); its last lines above say why.`);
        const { status, body } = await httpGet(app.readyUrl);
        if (status === 200) {
          isReady = true;
          return;
        }
        if (status !== 0) answer = `${status} ${body}`;
      }
      throw new Error(`The ${app.name} is not ready after ${READY_LIMIT_MS / 1000} s: ${app.readyUrl} says ${answer}`);
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
        report(`The ${app.name} does not stop; killing it. Nothing is lost: what it had in hand is due again.`);
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

/** One request on a connection of its own, which no stop has to wait for. Status 0 is no answer. */
async function httpGet(url: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 5_000 }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.once("close", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.once("timeout", () => request.destroy()).once("error", () => resolve({ status: 0, body: "" }));
  });
}
