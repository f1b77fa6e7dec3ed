// `npm run bench` measures the rows of bench/README.md one after the other, and writes them as a table and as JSON.

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { processGroup, startGenerator, startNoOp, startReceiver } from "../bench/children.ts";
import { CONNECTIONS } from "../bench/flow.ts";
import { describeDisk, describeMachine, format, measureDisk, toMarkdown, watchStolen } from "../bench/machine.ts";
import type { Load } from "../bench/messages.ts";
import { readCpuMs } from "../bench/processor-time.ts";
import { type Bench, type Figure, isReached, type Row, type YardstickSample } from "../bench/row.ts";
import { ROWS } from "../bench/rows.ts";
import { ensureRedisServer } from "../tests/support/redis-server.ts";

const USAGE = `npm run bench -- [row …] [options]

  quick              run every row for a short time, to check that the bench works
  --json <file>      write the figures to this file, too (bench/result.json)

Rows:
${ROWS.map(({ name, about }) => `  ${name.padEnd(16)}${about}`).join("\n")}`;

const YARDSTICK_WARM_UP_MS = 2_500;
const YARDSTICK_QUICK_MS = 300;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { help: { type: "boolean", default: false }, json: { type: "string", default: "bench/result.json" } },
});
const quick = positionals.includes("quick");
const names = positionals.filter((name) => name !== "quick");
const unknown = names.filter((name) => !ROWS.some((row) => row.name === name));
if (values.help) console.log(USAGE);
else if (unknown.length > 0) reportFailure(`There is no row ${unknown.join(", ")}.\n\n${USAGE}`);
else await main(ROWS.filter(({ name }) => names.length === 0 || names.includes(name)));
// Servers of the bench may still be running. They end with this process.
process.exit();

function reportFailure(text: string): void {
  console.error(text);
  process.exitCode = 1;
}

interface Result {
  row: string;
  figures: Figure[];
  /** The part of the wanted processor time that the host of this virtual machine gave to others, from 0 to 1. */
  stolen: number;
}

async function main(rows: readonly Row[]): Promise<void> {
  await ensureRedisServer();
  const bench = await openBench();
  const results: Result[] = [];
  const disk = measureDisk(processGroup().directory);
  const startedAt = performance.now();
  for (const row of rows) {
    const stolen = watchStolen();
    try {
      const figures = await row.run(bench);
      results.push({ row: row.name, figures, stolen: stolen() });
    } catch (error) {
      reportFailure(
        `The row ${row.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    }
  }
  const minutes = (performance.now() - startedAt) / 60_000;
  const machine = describeMachine();
  console.log(`\n${machine}; ${format(minutes, 1)} minutes${quick ? "; a quick run, not a measurement" : ""}`);
  console.log(`The disk's fdatasync: ${describeDisk(disk)}\n`);
  console.log(toMarkdown(["row", "of", "figure", "", "ratio", "to reach", "", "stolen"], results.flatMap(cellsOf)));
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine, disk, at: new Date().toISOString(), quick, results }, null, 2)}\n`,
  );
}

async function openBench(): Promise<Bench> {
  const generator = startGenerator();
  const receiver = await startReceiver();
  /** A quick run measures the yardstick only once. */
  let known: YardstickSample | undefined;
  return {
    quick,
    generator,
    receiver,
    openYardstick: async () => {
      if (quick && known !== undefined) {
        const sample = known;
        return { measure: async () => sample, stop: () => undefined };
      }
      const noOp = await startNoOp();
      const run = async (ms: number, pace: Load["pace"] = { kind: "closed", connections: CONNECTIONS }) => {
        const cpuMs = readCpuMs(noOp.pid);
        const load = { urls: [noOp.url], bodyBytes: 200, pace, until: { kind: "ms", ms } as const };
        const { accepted, tookMs, acknowledgedMs } = await generator.run(load);
        return {
          perSecond: (accepted * 1000) / tookMs,
          unitMs: (readCpuMs(noOp.pid) - cpuMs) / accepted,
          acknowledgedMs,
        };
      };
      if (!quick) await run(YARDSTICK_WARM_UP_MS);
      return {
        measure: async (ms, pace) => (known = await run(quick ? YARDSTICK_QUICK_MS : ms, pace)),
        stop: noOp.stop,
      };
    },
    progress: (text) => console.error(`… ${text}`),
  };
}

function cellsOf({ row, figures, stolen }: Result): string[][] {
  return figures.map((figure) => {
    const { what, value, unit, digits, ratio, aim } = figure;
    const aimText = aim === undefined ? "" : "atLeast" in aim ? `≥ ${aim.atLeast}` : `≤ ${aim.atMost}`;
    const verdict = { true: "reached", false: "**missed**", undefined: "" }[String(isReached(figure))] ?? "";
    const ratioText = ratio === undefined ? "" : format(ratio, 2);
    return [row, what, format(value, digits), unit, ratioText, aimText, verdict, `${format(stolen * 100)} %`];
  });
}
