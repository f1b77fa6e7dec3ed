// start: the time from the start of a relay to its first accepted event.

import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { claimPort } from "../../tests/support/ports.ts";
import { geminiEvent, signWebhook } from "../../tests/support/sign.ts";
import { processGroup } from "../children.ts";
import { median } from "../machine.ts";
import { SECRET } from "../messages.ts";
import { openRig } from "../rig.ts";
import type { Bench, Row } from "../row.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LIMIT_MS = 60_000;
const POLL_MS = 5;

export const start: Row = {
  name: "start",
  about:
    "from `npm start`, with dependencies installed, to the first accepted event; from the start of an app to ready",
  run: async (bench) => {
    const dataDir = mkdtempSync(join(tmpdir(), "sluice-start-"));
    chmodSync(dataDir, 0o711);
    try {
      bench.progress("npm start");
      const first = await startRelay(dataDir);
      const again: number[] = bench.quick ? [first] : [];
      for (let round = 0; round < (bench.quick ? 0 : 5); round++) again.push(await startRelay(dataDir));
      const { gateway, worker } = await startApps(bench);
      return [
        { what: "`npm start`, data there", value: median(again) / 1000, ...SECONDS, aim: { atMost: 3 } },
        { what: "`npm start`, the first time", value: first / 1000, ...SECONDS },
        { what: "gateway, to ready", value: gateway / 1000, ...SECONDS, aim: { atMost: 2 } },
        { what: "worker, to ready", value: worker / 1000, ...SECONDS, aim: { atMost: 2 } },
      ];
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
};

const SECONDS = { unit: "s", digits: 2 };

/** Starts a relay, waits for its first 2xx, and stops it. @returns milliseconds until the 2xx. */
async function startRelay(dataDir: string): Promise<number> {
  const [port, apiPort, workerPort] = [await claimPort(), await claimPort(), await claimPort()];
  const startedAt = performance.now();
  const child = spawn("npm", ["start", "--silent"], {
    cwd: ROOT,
    env: {
      ...process.env,
      DATA_DIR: dataDir,
      DATABASE_URL: "",
      REDIS_URL: "",
      GEMINI_SIGNING_SECRET: SECRET,
      HOST: "127.0.0.1",
      PORT: String(port),
      API_PORT: String(apiPort),
      WORKER_PORT: String(workerPort),
    },
    stdio: "ignore",
    // npm ends before the processes that it started. Their process group tells when all of them have ended.
    detached: true,
  });
  const group = -(child.pid ?? 0);
  processGroup().add(() => (isRunning(group) ? group : undefined), "SIGTERM");
  try {
    while (!(await isAccepted(`http://127.0.0.1:${port}/in/gemini`))) {
      if (performance.now() - startedAt > LIMIT_MS || child.exitCode !== null)
        throw new Error("`npm start` accepted no event");
      await delay(POLL_MS);
    }
    return performance.now() - startedAt;
  } finally {
    process.kill(group, "SIGTERM");
    while (isRunning(group)) await delay(POLL_MS);
  }
}

function isRunning(group: number): boolean {
  try {
    return process.kill(group, 0);
  } catch {
    return false;
  }
}

async function isAccepted(url: string): Promise<boolean> {
  const { headers, body } = signWebhook({ secret: SECRET, body: geminiEvent() });
  const response = await fetch(url, { method: "POST", headers, body: Uint8Array.from(body) }).catch(() => undefined);
  await response?.arrayBuffer();
  return response?.ok === true;
}

/** Starts the apps alone while their stores run, as a container would. @returns milliseconds until each is ready. */
async function startApps(bench: Bench): Promise<{ gateway: number; worker: number }> {
  const rig = await openRig({ queue: "redis" });
  try {
    const time = async (launch: () => Promise<{ stop: () => Promise<void> }>) => {
      const times: number[] = [];
      for (let round = 0; round < (bench.quick ? 1 : 5); round++) {
        const startedAt = performance.now();
        const app = await launch();
        times.push(performance.now() - startedAt);
        await app.stop();
      }
      return median(times);
    };
    return { gateway: await time(rig.startGateway), worker: await time(rig.startWorker) };
  } finally {
    await rig.close();
  }
}
