// The simulator as a process: `node packages/gemini-simulator/src/main.ts --port 9090`.

import { parseArgs } from "node:util";

import { SimulatorClock } from "./clock.ts";
import { startGeminiSimulator } from "./simulator.ts";

const USAGE = `Behaves as the Gemini API with its webhooks, for development and tests.

  node packages/gemini-simulator/src/main.ts [options]

  --port 9090            the port to listen on; a free one when not given
  --host 127.0.0.1       the address to listen on
  --seed 7               repeats a run; random when not given
  --scheme v1a           how dynamic webhooks are signed: v1a, or jwt
  --standing-clock       time passes only by POST /simulator/clock/advance
  --time 2026-01-22T12:00:00Z  the time at the start

The output is the base URL in the first line, and the seed in the second. POST /simulator/ lists the control calls.
`;

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    host: { type: "string", default: "127.0.0.1" },
    seed: { type: "string" },
    scheme: { type: "string", default: "v1a" },
    "standing-clock": { type: "boolean", default: false },
    time: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else await runSimulator();

async function runSimulator(): Promise<void> {
  const { scheme } = values;
  if (scheme !== "v1a" && scheme !== "jwt") throw new Error(`--scheme: ${scheme} is neither v1a nor jwt`);
  const startMs = values.time === undefined ? Date.now() : Date.parse(values.time);
  if (Number.isNaN(startMs)) throw new Error(`--time: ${values.time} is not a time in ISO 8601`);
  const simulator = await startGeminiSimulator({
    port: readWholeNumber("port", 65_535),
    host: values.host,
    ...(values.seed !== undefined && { seed: readWholeNumber("seed", Number.MAX_SAFE_INTEGER) }),
    scheme,
    clock: new SimulatorClock({ startMs, isStanding: values["standing-clock"] }),
  });
  process.stdout.write(`${simulator.url}\nseed ${simulator.seed}\n`);
  const stop = () => void simulator.stop();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  // A launcher that starts this process with a channel ends it by closing the channel.
  process.once("disconnect", stop);
}

function readWholeNumber(name: "port" | "seed", max: number): number {
  const number = Number(values[name]);
  if (!Number.isInteger(number) || number < 0 || number > max)
    throw new Error(`--${name}: ${values[name]} is not a whole number from 0 to ${max}`);
  return number;
}
