// `npm run demo` sends signed events to a running relay, receives them as a target, and prints what became of them.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { sendDemoEvent } from "./demo/event.ts";
import { findRelay } from "./demo/find-relay.ts";
import { demonstrateGemini } from "./demo/gemini.ts";
import { flood, FLOOD_CONCURRENCY } from "./demo/flood.ts";
import { openReceiver } from "./demo/open-receiver.ts";
import { deriveDemoSecrets, ensureDemo } from "./demo/setup.ts";
import { printTrace } from "./demo/trace.ts";
import { connectRelay } from "./relay/connection.ts";
import { errorText } from "@sluice/shared/runtime/error-text";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MAX_COUNT = 100_000;
const USAGE = `Sends a signed event to a running relay and prints its trace.

  npm run demo                      one event
  npm run demo -- --count 1000      many events, and a summary (at most ${MAX_COUNT})
  npm run demo -- --gemini          a relay of its own beside a simulator of Gemini: from the registration of the webhook
                                    to a job whose webhook never comes. This takes about three minutes.

The command receives the events itself and verifies their signatures with the library standardwebhooks.
It finds the relay that npm start or docker compose runs on this machine. For another relay set:
  SLUICE_INGRESS_URL   the URL of its ingress, such as http://10.0.0.5:8080
  SLUICE_API           the URL of its API, such as http://10.0.0.5:8081
  SLUICE_RECEIVER_URL  the URL at which its worker reaches this machine, such as http://10.0.0.9:9000/webhook. The
                       command then listens on this port. Without it, the command listens on a port of 127.0.0.1,
                       to which a worker connects only with TARGET_LOOPBACK=allow.
  ADMIN_API_KEY        an API key (or ADMIN_API_KEY_FILE, the path of a file that holds it)`;

try {
  const wanted = readArguments(process.argv.slice(2));
  if (wanted.kind === "help") console.log(USAGE);
  else if (wanted.kind === "gemini") process.exitCode = (await demonstrateGemini(ROOT)) ? 0 : 1;
  else process.exitCode = (await demonstrate(wanted.count)) ? 0 : 1;
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
}

async function demonstrate(count: number): Promise<boolean> {
  if (existsSync(join(ROOT, ".env"))) process.loadEnvFile(join(ROOT, ".env"));
  const { address, receiverPlace } = findRelay(ROOT, process.env);
  const receiver = await openReceiver(receiverPlace, deriveDemoSecrets(address.apiKey).target);
  const relay = connectRelay(address, FLOOD_CONCURRENCY);
  try {
    const setup = await ensureDemo(relay, receiver.url);
    if (count > 1) return await flood(relay, setup, count);
    return await printTrace(relay, setup.targetId, await sendDemoEvent(relay, setup));
  } finally {
    await relay.close();
    await receiver.stop();
  }
}

type Wanted = { kind: "help" } | { kind: "gemini" } | { kind: "events"; count: number };

/** @throws Error for arguments that are not valid. */
function readArguments(args: string[]): Wanted {
  let values: { count?: string; gemini?: boolean; help?: boolean };
  try {
    const options = {
      count: { type: "string" },
      gemini: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    } as const;
    ({ values } = parseArgs({ args, options, strict: true, allowPositionals: false }));
  } catch (error) {
    throw new Error(`${errorText(error)}\n\n${USAGE}`, { cause: error });
  }
  if (values.help === true) return { kind: "help" };
  if (values.gemini === true) return { kind: "gemini" };
  const text = values.count ?? "1";
  if (!/^[1-9][0-9]{0,5}$/.test(text) || Number(text) > MAX_COUNT) {
    throw new Error(`--count must be a number from 1 to ${MAX_COUNT}, not "${text}"`);
  }
  return { kind: "events", count: Number(text) };
}
