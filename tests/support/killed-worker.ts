// A worker as a process of its own, which a test kills as `kill -9` does, and starts again.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const WORKER = fileURLToPath(new URL("../../apps/worker/src/main.ts", import.meta.url));

/** A worker as a process, which is killed as `kill -9` does. */
export class KilledWorker {
  readonly #env: Record<string, string>;
  #child: ChildProcess | undefined;
  deaths = 0;

  constructor(env: Record<string, string>, add: (pid: () => number | undefined) => void) {
    this.#env = env;
    add(() => (this.#child?.exitCode === null ? this.#child.pid : undefined));
  }

  start(): void {
    const { PATH = "", HOME = "" } = process.env;
    this.#child = spawn(process.execPath, [WORKER], { env: { PATH, HOME, ...this.#env }, stdio: "ignore" });
  }

  async end(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  async killAndStart(): Promise<void> {
    this.deaths += 1;
    await this.end();
    this.start();
  }
}
