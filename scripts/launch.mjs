// Every npm command starts here: `node scripts/launch.mjs` with one of COMMANDS. This file is plain JavaScript without
// dependencies, because the machine may have an old Node. It installs the dependencies if they are missing, and then runs
// the command with Node 24.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const COMMANDS = [
  "start",
  "demo",
  "test",
  "chaos",
  "bench",
  "migrate",
  "bundle",
  "simulator",
  "gemini",
  "compose",
  "release",
  "sluice",
];
const PNPM = "pnpm@12.21.0";
const OLDEST_NODE = 18;
/** The first version that runs the TypeScript sources without a flag or a warning. */
const SOURCES_NODE = 24;
const PARENT_POLL_MS = 500;

const root = fileURLToPath(new URL("..", import.meta.url));
const nodeMajor = Number.parseInt(process.versions.node, 10);

// MUST be valid JavaScript for Node 12, so that an old Node can print the message about its version: no `?.`, no `??`.
const [command, ...rest] = process.argv.slice(2);
if (command === undefined || !COMMANDS.includes(command)) fail(`Usage: node scripts/launch.mjs ${COMMANDS.join("|")}`);
if (nodeMajor < OLDEST_NODE)
  fail(`Sluice needs Node ${OLDEST_NODE} or newer, and this is ${process.version}. Install a newer Node.`);
const node = findSourcesNode();
install();
handOver(node, [join(root, "scripts", `${command}.ts`), ...(rest[0] === "--" ? rest.slice(1) : rest)]);

/** The path of a Node that runs the sources. The installation may have to make it. */
function findSourcesNode() {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") fail("Sluice runs on Linux and macOS. On Windows, use WSL 2 or Docker.");
  if (nodeMajor >= SOURCES_NODE) return process.execPath;
  // The npm registry has a Node 24 for Linux with glibc on these two architectures.
  const isGlibc = process.platform === "linux" && process.report.getReport().header.glibcVersionRuntime !== undefined;
  if (isGlibc && (process.arch === "x64" || process.arch === "arm64")) {
    return join(root, "node_modules", `node-${platform}`, "bin", "node");
  }
  return fail(
    `On ${platform}, Sluice needs Node ${SOURCES_NODE} or newer, and this is ${process.version}. Install a newer Node.`,
  );
}

/** Installs the dependencies, unless exactly these are installed. */
function install() {
  const stamp = join(root, "node_modules", ".sluice-installed");
  const wanted = computeFingerprint();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted && existsSync(node)) return;
  const startedMs = Date.now();
  console.error("Installing dependencies (the first time this takes about a minute) …");
  // NODE_ENV=production would leave out packages that the scripts need. CI keeps pnpm from asking questions.
  const env = Object.assign({}, process.env, { CI: "true", NODE_ENV: "development" });
  const result = spawnSync("npx", ["--yes", PNPM, "install", "--frozen-lockfile"], {
    cwd: root,
    env,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (result.error !== undefined)
    fail(`npx does not start (${result.error.message}). Install npm, which contains npx.`);
  if (result.signal !== null) process.exit(128 + constants.signals[result.signal]);
  if (result.status !== 0)
    fail(`${result.stdout}${result.stderr}\npnpm could not install the dependencies; its messages above say why.`);
  if (!existsSync(node))
    fail(
      `pnpm did not install Node ${SOURCES_NODE} at ${node}. Let pnpm install optional dependencies, or use Node ${SOURCES_NODE}.`,
    );
  writeFileSync(stamp, wanted);
  console.error(`Installed in ${Math.round((Date.now() - startedMs) / 1000)} s.`);
}

/** A hash of everything on which the installation depends: the lock file, every package.json, and the platform. */
function computeFingerprint() {
  const hash = createHash("sha256").update(`${process.platform}-${process.arch} ${PNPM}`);
  const files = ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"];
  for (const folder of ["apps", "packages"]) {
    // oxlint-disable-next-line unicorn/no-array-sort -- Node 18 does not have toSorted.
    for (const name of readdirSync(join(root, folder)).sort()) files.push(join(folder, name, "package.json"));
  }
  for (const file of files.map((name) => join(root, name))) if (existsSync(file)) hash.update(readFileSync(file));
  return hash.digest("hex");
}

/** Runs a program as if it replaced this process: it gets the signals, and its exit code becomes the exit code here. */
function handOver(file, args) {
  const cache = join(root, "node_modules", ".cache", "compile");
  mkdirSync(cache, { recursive: true });
  const env = Object.assign({ NODE_COMPILE_CACHE: cache }, process.env);
  // The IPC channel tells `npm start` when this process is gone, even after a SIGKILL.
  const stdio = ["inherit", "inherit", "inherit", ...(command === "start" ? ["ipc"] : [])];
  const child = spawn(file, args, { cwd: root, env, stdio });
  child.on("error", (error) => fail(`Node at ${file} does not start: ${error.message}`));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  // In a terminal, Ctrl-C reaches the child directly, because the child is in the same process group as this process.
  // The child would count a second SIGINT as a wish to hurry. This process passes SIGINT on only without a terminal.
  const hasTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  process.on("SIGINT", () => {
    if (!hasTerminal) child.kill("SIGINT");
  });
  // npm runs this process in a shell. A SIGTERM to npm ends only the shell, and this process gets another parent.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill("SIGTERM");
  }, PARENT_POLL_MS);
  if (process.env["npm_lifecycle_event"] === undefined) clearInterval(watch);
  child.on("exit", (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]));
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
