// `npm run demo -- --gemini`: a relay and a simulator of Gemini beside each other, from the registration of the webhook to a
// job whose webhook never comes. It uses no account, and leaves nothing behind.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import type { Schemas, SluiceClient } from "@sluice/client/client";
import { type GeminiSimulator, startGeminiSimulator } from "@sluice/gemini-simulator/simulator";

import { claimPort } from "../../tests/support/ports.ts";
import { connectRelay, type RelayConnection } from "../relay/connection.ts";
import { startDemoReceiver } from "./receiver.ts";

const START_LIMIT_MS = 180_000;
const DELIVERY_LIMIT_MS = 60_000;
/** The relay makes its first events two minutes after the reconciliation is switched on. */
const RECONCILED_LIMIT_MS = 300_000;
const PAUSE_MS = 500;

type Delivery = Schemas["Delivery"];

/** @param root the directory of the repository. @returns whether all went as it should. */
export async function demonstrateGemini(root: string): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-gemini-"));
  const simulator = await startGeminiSimulator();
  console.log(`A simulator of Gemini is at ${simulator.url} (seed ${simulator.seed}).`);
  console.log("Starting a relay of its own; the first time takes about ten seconds …");
  const relay = await startRelay(root, directory, simulator.url);
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const receiver = await startDemoReceiver(secret);
  try {
    return await play(simulator, relay.connection, receiver.url, secret);
  } finally {
    await relay.stop();
    await receiver.stop();
    await simulator.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function play(
  simulator: GeminiSimulator,
  { api }: RelayConnection,
  receiverUrl: string,
  secret: string,
): Promise<boolean> {
  const { data: sources } = await api.get("/v1/sources");
  const source = sources.find(({ name }) => name === "gemini");
  if (source === undefined) throw new Error("The relay has no source gemini");
  const target = await api.post("/v1/targets", {
    body: {
      name: "gemini demo",
      uri: receiverUrl,
      subscribed_events: ["batch.*", "sluice.*"],
      // A relay proves itself at its first start, with an event of another source.
      filter: 'source in ["gemini", "sluice"]',
    },
  });
  const rotation = { secret, previous: "revoke_immediately" as const };
  await api.post("/v1/targets/{id}:rotate-secret", { params: { path: { id: target.id } }, body: rotation });

  console.log("\n1. Register the webhook at Gemini: POST /v1/sources/{id}/upstream:register");
  const params = { path: { id: source.id } };
  const { steps, warnings } = await api.post("/v1/sources/{id}/upstream:register", { params });
  for (const { step, detail } of steps) console.log(`   ${step}${detail === undefined ? "" : `: ${detail}`}`);
  if (warnings.length > 0) console.log(`   warnings: ${JSON.stringify(warnings)}`);

  // The relay makes events for jobs that ended without one, and first has to learn which webhooks have come.
  const reconcile = { enabled: true, every_seconds: 10, grace_seconds: 10, lookback_hours: 1 };
  await api.patch("/v1/sources/{id}", { params, body: { reconcile } });

  console.log("\n2. A batch ends, and Gemini calls the relay.");
  const seen = simulator.jobs.start({ kind: "batch" });
  simulator.jobs.move(seen, { state: "succeeded" });
  const delivered = await waitForDeliveries(api, target.id, 1, DELIVERY_LIMIT_MS);
  for (const each of delivered) describe(each);

  console.log("\n3. A batch ends, and Gemini never calls. The relay looks for it; this takes about two minutes …");
  const lost = simulator.jobs.start({ kind: "batch" });
  simulator.jobs.move(lost, { state: "succeeded", fault: { kind: "never" } });
  const all = await waitForDeliveries(api, target.id, 2, RECONCILED_LIMIT_MS);
  for (const each of all.slice(0, all.length - delivered.length)) {
    describe(each);
    const event = await api.get("/v1/events/{id}", { params: { path: { id: each.event } } });
    console.log(`   its event was made by the relay: the scheme is ${event.scheme}`);
  }
  const { data: jobs } = await api.get("/v1/jobs");
  console.log("\nThe jobs, as GET /v1/jobs shows them:");
  for (const { name, status } of jobs) console.log(`   ${name}  ${status}`);
  const isGood = all.length === 2 && jobs.some(({ status }) => status === "reconciled");
  console.log(isGood ? "\nNo job was missed." : "\nSomething is missing: see the lines above.");
  return isGood;
}

const describe = ({ event_type, status }: Delivery) => console.log(`   ${event_type} delivered: ${status}`);

/** The finished deliveries of a target, the newest first. Those that have not come when the time is over are left out. */
async function waitForDeliveries(
  api: SluiceClient,
  targetId: string,
  count: number,
  limitMs: number,
): Promise<Delivery[]> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const { data } = await api.get("/v1/deliveries", {
      params: { query: { target: targetId, status: ["succeeded"] } },
    });
    if (data.length >= count || performance.now() > endMs) return data;
    await delay(PAUSE_MS);
  }
}

/** A relay as `npm start` starts it, on free ports, with data that goes with it. */
async function startRelay(root: string, directory: string, geminiUrl: string) {
  const [port, apiPort, workerPort] = [await claimPort(), await claimPort(), await claimPort()];
  const apiKey = randomBytes(24).toString("base64url");
  const log = join(directory, "relay.log");
  const env = {
    PATH: process.env["PATH"],
    HOME: process.env["HOME"],
    DATA_DIR: join(directory, "data"),
    PORT: String(port),
    API_PORT: String(apiPort),
    WORKER_PORT: String(workerPort),
    ADMIN_API_KEY: apiKey,
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    GEMINI_API_KEY: "simulated-key",
    GEMINI_BASE_URL: geminiUrl,
  };
  const output = openSync(log, "a");
  const child = spawn(process.execPath, [join(root, "scripts/start.ts")], {
    cwd: root,
    env,
    stdio: ["ignore", output, output],
  });
  const exited = once(child, "exit");
  const address = {
    ingressUrl: `http://127.0.0.1:${port}`,
    apiUrl: `http://127.0.0.1:${apiPort}`,
    apiKey,
    apiKeyHint: apiKey,
  };
  const connection = connectRelay(address, 4);
  const stop = async () => {
    await connection.close();
    child.kill("SIGINT");
    await exited;
  };
  const endMs = performance.now() + START_LIMIT_MS;
  for (;;) {
    const isReady = await fetch(`${address.apiUrl}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return { connection, stop };
    if (child.exitCode !== null || performance.now() > endMs) {
      await stop();
      throw new Error(`The relay did not start: ${log} says why`);
    }
    await delay(PAUSE_MS);
  }
}
