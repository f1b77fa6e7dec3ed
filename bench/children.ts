// The load generator, the receiver and the yardstick run as processes of their own. Each of them can use a whole core, and
// must not take this core from the process that measures.

import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { openProcessGroup, type ProcessGroup } from "../tests/support/process-group.ts";
import { type BareEnvironment, bareEnvironment } from "./bare.ts";
import type { Arrivals, FromLoad, FromReceiver, Load, LoadResult, ToLoad, ToReceiver } from "./messages.ts";

let group: ProcessGroup | undefined;

/** Every process in this group ends with the bench. */
export function processGroup(): ProcessGroup {
  group ??= openProcessGroup();
  return group;
}

export interface Generator {
  /** @throws Error when a request was refused. */
  run: (load: Load) => Promise<LoadResult>;
  /** Tells the generator how many events arrived at the target. */
  tellArrived: (events: number) => void;
}

export function startGenerator(): Generator {
  const child = startChild("load-main.ts");
  const tell = (message: ToLoad) => child.send(message);
  return {
    run: async (load) => {
      tell({ kind: "run", load });
      const message = await nextMessage<FromLoad>(child, ({ kind }) => kind === "done" || kind === "failed");
      if (message.kind === "failed") throw new Error(`The load generator failed: ${message.error}`);
      const { sent, accepted, refused } = message.result;
      if (accepted !== sent) {
        throw new Error(`${sent - accepted} of ${sent} events were refused: ${JSON.stringify(refused)}`);
      }
      return message.result;
    },
    tellArrived: (events) => tell({ kind: "arrived", events }),
  };
}

export interface BenchReceiver {
  /** The URL without a path. */
  url: string;
  /** Opens further ports, which stay open. @returns so many URLs or more, each with a port of its own. */
  openPorts: (count: number) => Promise<string[]>;
  /** Forgets all arrivals. */
  reset: (options?: { latencies: boolean }) => void;
  report: () => Promise<Arrivals>;
  /** Resolves when so many requests arrived since the reset. @throws Error when no more requests arrive. */
  waitFor: (count: number) => Promise<void>;
  /** Calls the listener as requests arrive, with the number of requests since the reset. */
  onCount: (listener: (count: number) => void) => void;
}

/** After this time without an arrival, `waitFor` gives up. */
const SILENCE_MS = 30_000;

export async function startReceiver(): Promise<BenchReceiver> {
  const child = startChild("receiver-main.ts");
  const tell = (message: ToReceiver) => child.send(message);
  const listening = await nextMessage<FromReceiver>(child, ({ kind }) => kind === "listening");
  const report = async () => {
    tell({ kind: "report" });
    const message = await nextMessage<FromReceiver>(child, ({ kind }) => kind === "report");
    if (message.kind !== "report") throw new Error("The receiver did not answer with a report");
    return message.arrivals;
  };
  let listener: ((count: number) => void) | undefined;
  child.on("message", (message: FromReceiver) => {
    if (message.kind === "count") listener?.(message.count);
  });
  return {
    url: listening.kind === "listening" ? listening.url : "",
    openPorts: async (ports) => {
      tell({ kind: "open", ports });
      const message = await nextMessage<FromReceiver>(child, ({ kind }) => kind === "opened");
      return message.kind === "opened" ? message.urls : [];
    },
    reset: ({ latencies } = { latencies: false }) => tell({ kind: "reset", latencies }),
    report,
    waitFor: async (count) => {
      let { count: arrived } = await report();
      let changedAt = performance.now();
      while (arrived < count) {
        if (performance.now() - changedAt > SILENCE_MS) throw new Error(`Only ${arrived} of ${count} requests arrived`);
        await delay(20);
        const { count: next } = await report();
        if (next !== arrived) changedAt = performance.now();
        arrived = next;
      }
    },
    onCount: (next) => {
      listener = next;
    },
  };
}

/** A process of the bench that answers requests at a URL. */
export interface Served {
  url: string;
  pid: number;
  stop: () => void;
}

export const startNoOp = () => startServer("no-op-main.ts");

/** Starts the two processes of the plainest relay. */
export async function startBare(environment: BareEnvironment): Promise<{ gateway: Served; worker: Served }> {
  const env = { ...process.env, ...bareEnvironment(environment) };
  return {
    gateway: await startServer("bare-gateway-main.ts", env),
    worker: await startServer("bare-worker-main.ts", env),
  };
}

async function startServer(file: string, env?: NodeJS.ProcessEnv): Promise<Served> {
  const child = startChild(file, env);
  const { url } = await nextMessage<{ url: string }>(child, () => true);
  return { url, pid: child.pid ?? 0, stop: () => child.kill("SIGKILL") };
}

function startChild(file: string, env = process.env): ChildProcess {
  const child = fork(join(import.meta.dirname, file), { env, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  processGroup().add(() => (child.exitCode === null ? child.pid : undefined), "SIGKILL");
  return child;
}

function nextMessage<T>(child: ChildProcess, isIt: (message: T) => boolean): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = () => {
      child.off("message", onMessage);
      reject(new Error(`A process of the bench ended unexpectedly: ${child.spawnargs.join(" ")}`));
    };
    const onMessage = (message: unknown) => {
      if (!isIt(message as T)) return;
      child.off("exit", onExit).off("message", onMessage);
      resolve(message as T);
    };
    child.on("exit", onExit).on("message", onMessage);
  });
}
