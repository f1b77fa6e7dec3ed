// `npm run demo`: sends signed events to a running relay and prints what became of them.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { ensureDemo, sendDemoEvent } from "./demo/event.ts";
import { errorText } from "./relay/error-text.ts";
import { findAddress } from "./demo/find-address.ts";
import { flood, FLOOD_CONCURRENCY } from "./demo/flood.ts";
import { connectRelay } from "./relay/connection.ts";
import { printTrace } from "./demo/trace.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MAX_COUNT = 100_000;
const USAGE = `Sends a signed event to a running relay and prints its trace.

  npm run demo                      one event
  npm run demo -- --count 1000      many events, and a summary (at most ${MAX_COUNT})

It finds the relay that npm start runs, or that docker compose runs, on this machine. For another one set:
  SLUICE_URL          its ingress, such as http://10.0.0.5:8080
  SLUICE_API_URL      its API, such as http://10.0.0.5:8081
  SLUICE_ECHO_URL     its worker's echo target as the worker reaches it (http://127.0.0.1:8082/echo)
  ADMIN_API_KEY       an API key (or ADMIN_API_KEY_FILE, a file that holds it)`;

try {
  const count = readCount(process.argv.slice(2));
  if (count === undefined) console.log(USAGE);
  else process.exitCode = (await demonstrate(count)) ? 0 : 1;
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
}

async function demonstrate(count: number): Promise<boolean> {
  if (existsSync(join(ROOT, ".env"))) process.loadEnvFile(join(ROOT, ".env"));
  const relay = connectRelay(findAddress(ROOT, process.env), FLOOD_CONCURRENCY);
  try {
    const setup = await ensureDemo(relay);
    if (count > 1) return await flood(relay, setup, count);
    return await printTrace(relay, setup.targetId, await sendDemoEvent(relay, setup));
  } finally {
    await relay.close();
  }
}

/** How many events to send; undefined for the help. @throws Error when the arguments are not understood. */
function readCount(args: string[]): number | undefined {
  let values: { count?: string; help?: boolean };
  try {
    const options = { count: { type: "string" }, help: { type: "boolean", short: "h" } } as const;
    ({ values } = parseArgs({ args, options, strict: true, allowPositionals: false }));
  } catch (error) {
    throw new Error(`${errorText(error)}\n\n${USAGE}`, { cause: error });
  }
  if (values.help === true) return undefined;
  const text = values.count ?? "1";
  if (!/^[1-9][0-9]{0,5}$/.test(text) || Number(text) > MAX_COUNT) {
    throw new Error(`--count must be a number from 1 to ${MAX_COUNT}, not "${text}"`);
  }
  return Number(text);
}
