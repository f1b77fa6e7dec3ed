// `npm run test:chaos` injects every fault once, each into a relay of its own, and prints what became of the events. The
// exit code is 1 when a guarantee was broken.

import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import type { Fault } from "../tests/chaos/fault.ts";
import { FAULTS } from "../tests/chaos/faults.ts";
import { describeRun, headerLines, type Line, rowOf, toMarkdown } from "../tests/chaos/report.ts";
import { type Result, runFault } from "../tests/chaos/run.ts";
import { openProcessGroup } from "../tests/support/process-group.ts";
import { ensureRedisServer } from "../tests/support/redis-server.ts";

const USAGE = `npm run test:chaos -- [options]

  --list             list the faults
  --fault <name>     inject only this fault; may be given several times
  --short            inject only the faults that are part of npm test
  --quick            inject all faults except the long ones
  --seed <number>    make the same random choices as the run that printed this seed
  --rate <number>    send so many new events per second (200)
  --jobs <number>    inject so many faults at the same time (1)
  --out <directory>  write the table into this directory, as chaos.md and chaos.json
  --keep             keep the logs even if nothing is broken`;

const WARM_UP_MS = 1_500;
const TAIL_MS = 3_000;
/** On the terminal. The account lists all of them. */
const MAX_LOST_SHOWN = 10;

const { values } = parseArgs({
  options: {
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
    short: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    fault: { type: "string", multiple: true, default: [] },
    seed: { type: "string" },
    rate: { type: "string", default: "200" },
    jobs: { type: "string", default: "1" },
    out: { type: "string" },
  },
});

if (values.help) console.log(USAGE);
else if (values.list) for (const { name, about } of FAULTS) console.log(`${name.padEnd(28)}${about}`);
else process.exitCode = await main();

async function main(): Promise<number> {
  const chosen = choose();
  const options = {
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : readNumber("seed", values.seed, 0),
    perSecond: readNumber("rate", values.rate, 1),
    warmUpMs: WARM_UP_MS,
    tailMs: TAIL_MS,
    limitFactor: 1,
  };
  const jobs = readNumber("jobs", values.jobs, 1);
  await ensureRedisServer();
  const group = openProcessGroup();
  if (values.keep) group.keep();
  const description = describeRun(options);
  console.log(
    `${chosen.length} faults, seed ${options.seed}, ${options.perSecond} events/s, logs in ${group.directory}\n`,
  );
  for (const line of headerLines()) console.log(line);
  const results: Line[] = [];
  const waiting = [...chosen];
  const runNext = async () => {
    for (let fault = waiting.shift(); fault !== undefined; fault = waiting.shift()) {
      const result = await runFault(fault, group, options).catch((error: unknown) => failureOf(fault.name, error));
      results.push(result);
      console.log(rowOf(result));
      if (result.outcome === "failed") group.keep();
      if (result.outcome === "broken") {
        group.keep();
        for (const line of describeFailure(result)) console.log(line);
      }
    }
  };
  await Promise.all(Array.from({ length: jobs }, runNext));
  const order = new Map(chosen.map(({ name }, index) => [name, index]));
  const sorted = results.toSorted((a, b) => (order.get(a.fault) ?? 0) - (order.get(b.fault) ?? 0));
  if (values.out !== undefined) {
    const out = resolve(values.out);
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, "chaos.md"), toMarkdown(description, sorted));
    writeFileSync(join(out, "chaos.json"), `${JSON.stringify({ ...description, results: sorted }, null, 2)}\n`);
  }
  const broken = results.filter(({ outcome }) => outcome === "broken" || outcome === "failed");
  console.log(
    broken.length === 0
      ? `\nEvery guarantee was kept.`
      : `\nGuarantees were broken by ${broken.map(({ fault }) => fault).join(", ")}. Repeat one with: --seed ${options.seed} --fault ${broken[0]?.fault}. The logs are in ${group.directory}.`,
  );
  group.remove();
  return broken.length === 0 ? 0 : 1;
}

/** A run takes long, so a fault that cannot be injected does not end it. */
function failureOf(fault: string, error: unknown): Line {
  return { fault, outcome: "failed", reason: error instanceof Error ? error.message : String(error) };
}

function choose(): readonly Fault[] {
  if (values.fault.length === 0) {
    return FAULTS.filter(
      (fault) => (!values.short || fault.isShort === true) && !(values.quick && fault.isLong === true),
    );
  }
  return values.fault.map((name) => {
    const fault = FAULTS.find((one) => one.name === name);
    if (fault === undefined) throw new Error(`There is no fault ${name}. --list lists the faults.`);
    return fault;
  });
}

function readNumber(name: string, text: string, min: number): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < min)
    throw new Error(`--${name} must be a whole number of at least ${min}, not "${text}".`);
  return number;
}

function describeFailure(result: Extract<Result, { outcome: "kept" | "broken" }>): string[] {
  const { account, broken, directory } = result;
  return [
    ...broken.map((text) => `  BROKEN: ${text}`),
    ...Object.entries(account.reasons).map(([reason, times]) => `  ${times} times: ${reason}`),
    ...account.lost.slice(0, MAX_LOST_SHOWN).map(({ webhookId, target, stored }) => {
      const states = stored.map((row) => `${String(row["target"])} ${String(row["status"])}`);
      return `  lost: ${webhookId} at ${target}; in PostgreSQL: ${states.join(", ") || "nothing"}`;
    }),
    `  The logs and the whole account are in ${directory}.`,
  ];
}
