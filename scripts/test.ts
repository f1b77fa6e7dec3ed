// `npm test` checks lint, format, types and unused code, and runs every test. Its last line is `N passed, N failed`. A
// failure that no test reports (a file that does not load, a leak, a crash, no tests at all) counts as one failure, too.
// The exit code is 1 after a failure.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { findChromium, installChromium } from "../tests/support/chromium.ts";
import { findRedisServer, installRedisServer } from "../tests/support/redis-server.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BIN = join(ROOT, "node_modules", ".bin");

/** Name, program, arguments. */
const STATIC_STEPS: [string, string, string[]][] = [
  ["lint", "oxlint", ["--type-aware", "--deny-warnings"]],
  ["format", "oxfmt", ["--check"]],
  ["types", "tsc", ["--noEmit"]],
  // The console runs in a browser, which has other types.
  ["types of the console", "tsc", ["--noEmit", "--project", "apps/console"]],
  ["unused code", "knip", ["--no-progress"]],
];

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** The fields of vitest's JSON report that this script reads. */
interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { name: string; status: string; message: string; assertionResults: { status: string }[] }[];
}

let running: ChildProcess | undefined;
let interruptedBy: "SIGINT" | "SIGTERM" | "SIGHUP" | undefined;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    interruptedBy ??= signal;
    // The global setup of vitest stops its servers on each of these signals, even on a second one.
    running?.kill(signal);
  });
}

/** Runs an installed program. @returns its exit code, and its output unless the terminal gets the output. */
async function run(program: string, words: string[], inherit: boolean): Promise<{ code: number; output: string }> {
  const child = spawn(join(BIN, program), words, {
    cwd: ROOT,
    stdio: ["ignore", inherit ? "inherit" : "pipe", inherit ? "inherit" : "pipe"],
    // The programs start `node` by name. PATH must lead to the Node of this process.
    env: { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}` },
  });
  running = child;
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: 1, output: String(error) }));
    child.once("close", (code, signal) =>
      resolve({ code: code ?? 128 + constants.signals[signal ?? "SIGKILL"], output }),
    );
  });
}

async function runStaticSteps(counts: Counts): Promise<void> {
  for (const [name, program, words] of STATIC_STEPS) {
    if (interruptedBy !== undefined) return;
    const startedAtMs = Date.now();
    const { code, output } = await run(program, words, false);
    const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1);
    console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${program} ${words.join(" ")}, ${seconds} s)`);
    if (code === 0) counts.passed++;
    else {
      counts.failed++;
      console.log(output.trimEnd());
    }
  }
}

interface NeededProgram {
  /** As a sentence has it. */
  name: string;
  /** The tests that are skipped without it. */
  tests: string;
  find: () => string | undefined;
  install: () => Promise<string | undefined>;
}

const NEEDED: NeededProgram[] = [
  {
    name: "redis-server or valkey-server",
    tests: "every test on Redis",
    find: () => process.env["TEST_REDIS_URL"] ?? findRedisServer(),
    install: installRedisServer,
  },
  { name: "chromium", tests: "every test in a browser", find: findChromium, install: installChromium },
];

/** Installs what tests need if it is missing. The tests that need it are skipped without, except on CI. */
async function provide({ name, tests, find, install }: NeededProgram, counts: Counts): Promise<void> {
  if (find() !== undefined) return;
  console.log(`There is no ${name} on PATH. Installing one with apt-get …`);
  const reason = await install();
  if (reason === undefined) return;
  const onCi = process.env["CI"] === "true";
  if (onCi) counts.failed++;
  console.log(`${onCi ? "FAILED" : "SKIPPED"} ${tests}, because ${reason}. Install ${name}.`);
}

async function runTests(counts: Counts, words: string[]): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "sluice-report-"));
  const file = join(dir, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  try {
    const { code } = await run("vitest", ["run", ...reporters, ...words], true);
    if (interruptedBy !== undefined) return;
    const found = readReport(file, counts);
    if (code !== 0 && found.failed === 0) {
      counts.failed++;
      console.log(`FAILED vitest: no test failed, but the exit code is ${code}. The output above gives the reason.`);
    } else if (found.executed === 0) {
      counts.failed++;
      console.log("FAILED vitest: no test ran. Check the file names after `npm test --`.");
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function readReport(file: string, counts: Counts): { executed: number; failed: number } {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return { executed: 0, failed: 0 };
  }
  // A file that does not load, or whose hooks fail or leak, has no failed test.
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && !assertionResults.some((test) => test.status === "failed"),
  );
  for (const { name, message } of broken) console.log(`FAILED ${name}: ${message}`);
  const failed = report.numFailedTests + broken.length;
  counts.passed += report.numPassedTests;
  counts.failed += failed;
  counts.skipped += report.numPendingTests + report.numTodoTests;
  return { executed: report.numPassedTests + report.numFailedTests, failed };
}

const words = process.argv.slice(2).filter((word) => word !== "--");
const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
if (words.length === 0) await runStaticSteps(counts);
// One file that is run by name may need neither.
for (const program of words.length === 0 ? NEEDED : NEEDED.slice(0, 1)) {
  if (interruptedBy === undefined) await provide(program, counts);
}
if (interruptedBy === undefined) await runTests(counts, words);
if (interruptedBy !== undefined) process.exit(128 + constants.signals[interruptedBy]);
const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`;
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = counts.failed === 0 ? 0 : 1;
