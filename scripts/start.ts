// `npm start` starts PostgreSQL, migrates the database, and starts the gateway and the worker. Ctrl-C, SIGTERM or a failed
// step stops everything in the reverse order.

import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { answerVersionFlag, BUILD_TEXT } from "@sluice/shared/runtime/version-flag";
import type { RoleUrls } from "@sluice/store/connection/roles";

import { type AppProcess, startApp } from "./relay/app-process.ts";
import { bundleApps } from "./relay/bundled-apps.ts";
import { openDataDirectory } from "./postgres/data-directory.ts";
import { errorText } from "@sluice/shared/runtime/error-text";
import { proveRelay } from "./demo/first-proof.ts";
import { hintOf } from "./demo/find-relay.ts";
import { keepPostgres } from "./postgres/kept.ts";
import { takeLock } from "./relay/process-lock.ts";
import type { RelayAddress } from "./relay/connection.ts";
import {
  dataDirOf,
  endLeftovers,
  findRunningRelay,
  lockPath,
  removeRunningRelay,
  writeRunningRelay,
} from "./relay/running-relay.ts";
import { environmentOf, readRelaySettings, type RelaySettings } from "./relay/settings.ts";
import { makeSignInLink } from "./relay/sign-in-link.ts";
import { listenForStop } from "./relay/stop-signals.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const GATEWAY_STOP_LIMIT_MS = 15_000;
/** A target may take 30 seconds to answer, and the worker waits for its deliveries in progress. */
const WORKER_STOP_LIMIT_MS = 40_000;

/** The running parts in the order of their start. They are stopped from the last to the first. */
const running: { name: string; stop: () => Promise<void> | void }[] = [];
const apps: AppProcess[] = [];
answerVersionFlag();
const stop = listenForStop(() => {
  for (const app of apps) app.kill();
});

try {
  await run(stop.signal);
} catch (error) {
  if (!stop.signal.aborted) {
    console.error(`\n${errorText(error)}`);
    process.exitCode = 1;
  }
}
for (const { name, stop: end } of running.toReversed()) {
  try {
    await end();
  } catch (error) {
    console.error(`${name} did not stop: ${errorText(error)}`);
    process.exitCode = 1;
  }
}
if (process.exitCode !== 1) console.log("Stopped.");
process.exit();

async function run(signal: AbortSignal): Promise<void> {
  if (existsSync(join(ROOT, ".env"))) process.loadEnvFile(join(ROOT, ".env"));
  const dataDir = openDataDirectory(dataDirOf(ROOT, process.env));
  const lock = await takeLock(lockPath(dataDir));
  if (!lock.taken) throw new Error(describeRunningRelay(dataDir, lock.pid));
  running.push({ name: "The lock", stop: lock.release });
  await endLeftovers(dataDir, () => console.log("Waiting until the processes of an earlier start end …"));

  const settings = await readRelaySettings(dataDir, process.env);
  // The bundler runs while PostgreSQL starts. `await bundled` below reports a failure; the empty handler keeps Node from
  // ending the process before that.
  const bundled = bundleApps();
  bundled.catch(() => undefined);
  let urls: RoleUrls | undefined;
  if (settings.isEmbedded) {
    const postgres = await keepPostgres(join(dataDir, "postgres"));
    running.push({ name: "PostgreSQL", stop: postgres.stop });
    ({ urls } = postgres);
  }
  const entries = await bundled;
  signal.throwIfAborted();
  await migrate(entries.migrate, environmentOf("migrate", settings, urls));
  signal.throwIfAborted();

  // The worker starts first, so that the gateway stops first: no new event arrives while the worker finishes.
  const announce = () => announceRelay(dataDir, settings);
  const launch = (name: "gateway" | "worker", url: string, stopLimitMs: number) => {
    const env = environmentOf(name, settings, urls);
    const app = startApp({ name, entry: entries[name], readyUrl: `${url}/readyz`, env, stopLimitMs }, announce);
    apps.push(app);
    running.push({ name: `The ${name}`, stop: app.stop });
    return app.waitUntilReady(signal);
  };
  const ready = [
    launch("worker", settings.workerUrl, WORKER_STOP_LIMIT_MS),
    launch("gateway", settings.apiUrl, GATEWAY_STOP_LIMIT_MS),
  ];
  running.push({ name: "relay.json", stop: () => removeRunningRelay(dataDir) });
  announce();
  await Promise.all(ready);
  printAddresses(settings, await makeSignInLink(settings));

  const proofFile = join(dataDir, "first-proof");
  if (!existsSync(proofFile)) {
    const proven = await Promise.race([proveRelay(addressOf(settings)), stop.requested.then(() => false)]);
    if (proven) writeFileSync(proofFile, `${new Date().toISOString()}\n`);
  }
  if (!signal.aborted) console.log("\nThe relay is running. `npm run demo` sends an event to it. Ctrl-C stops it.");
  await stop.requested;
}

/** Runs the bundle, because the sources would load each file of drizzle-orm: half a second of processor time. */
async function migrate(bundle: string, env: NodeJS.ProcessEnv): Promise<void> {
  try {
    const { stderr } = await promisify(execFile)(process.execPath, [bundle], { env });
    // What a migration changed, such as the name of a target.
    if (stderr !== "") console.warn(stderr.trimEnd());
  } catch (error) {
    const reason = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : errorText(error);
    throw new Error(`The database cannot be migrated: ${reason}`, { cause: error });
  }
}

function announceRelay(dataDir: string, settings: RelaySettings): void {
  const { ingressUrl, apiUrl, apiKeyFile } = settings;
  const processes = apps.map((app) => app.identity()).filter((identity) => identity !== undefined);
  writeRunningRelay(dataDir, { ingressUrl, apiUrl, apiKeyFile, processes });
}

function addressOf({ ingressUrl, apiUrl, apiKey, apiKeyFile }: RelaySettings): RelayAddress {
  return { ingressUrl, apiUrl, apiKey, apiKeyHint: hintOf(apiKeyFile ?? undefined) };
}

function printAddresses({ ingressUrl, apiUrl, apiKey, apiKeyFile }: RelaySettings, consoleLink: string): void {
  console.log(`
  Sluice   ${BUILD_TEXT}
  Ingress  ${ingressUrl}/in/gemini  (point Gemini's webhook here, through HTTPS)
  Console  ${consoleLink}
  API      ${apiUrl}
  API key  ${apiKeyFile === null ? "the one in ADMIN_API_KEY" : `${apiKey}  (in ${apiKeyFile})`}`);
}

function describeRunningRelay(dataDir: string, pid: number): string {
  const relay = findRunningRelay(dataDir);
  const where = relay === undefined ? "it is starting" : `ingress ${relay.ingressUrl}, API ${relay.apiUrl}`;
  return `A relay already runs on ${dataDir} (process ${pid}; ${where}).\nFor a second relay, set DATA_DIR, PORT, API_PORT and WORKER_PORT.`;
}
