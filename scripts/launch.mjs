// The door of the repository: `node scripts/launch.mjs <start|demo|test|chaos|bench|migrate|bundle>`. Plain JavaScript
// without a dependency, for whatever Node the machine has: installs what is missing, then hands over to Node 24.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const COMMANDS = ["start", "demo", "test", "chaos", "bench", "migrate", "bundle"];
const PNPM = "pnpm@12.21.0";
const OLDEST_NODE = 18;
/** The first one that runs the TypeScript sources as they are, without a flag or a warning. */
const SOURCES_NODE = 24;
const PARENT_POLL_MS = 500;

const root = fileURLToPath(new URL("..", import.meta.url));
const nodeMajor = Number.parseInt(process.versions.node, 10);

// MUST stay readable for Node 12, so that an old Node gets to the message about itself: no `?.`, no `??`.
const [command, ...rest] = process.argv.slice(2);
if (command === undefined || !COMMANDS.includes(command)) fail(`Usage: node scripts/launch.mjs ${COMMANDS.join("|")}`);
if (nodeMajor < OLDEST_NODE) fail(`Sluice needs Node ${OLDEST_NODE} or newer to start; this is ${process.version}.`);
const node = sourcesNode();
install();
handOver(node, [join(root, "scripts", `${command}.ts`), ...(rest[0] === "--" ? rest.slice(1) : rest)]);

/** The path of a Node that runs the sources; it exists after the installation. */
function sourcesNode() {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") fail("Sluice runs on Linux and macOS. On Windows: in WSL 2, or with Docker.");
  if (nodeMajor >= SOURCES_NODE) return process.execPath;
  // The registry has Node 24 for these two, and built against glibc only.
  const isGlibc = process.platform === "linux" && process.report.getReport().header.glibcVersionRuntime !== undefined;
  if (isGlibc && (process.arch === "x64" || process.arch === "arm64")) {
    return join(root, "node_modules", `node-${platform}`, "bin", "node");
  }
  return fail(`Sluice needs Node ${SOURCES_NODE} or newer on ${platform}; this is ${process.version}.`);
}

/** Installs the dependencies, unless these very ones are installed already. */
function install() {
  const stamp = join(root, "node_modules", ".sluice-installed");
  const wanted = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted && existsSync(node)) return;
  const startedMs = Date.now();
  console.error("Installing dependencies (the first time this takes a minute or so) …");
  // NODE_ENV=production would leave out what the scripts need; CI keeps pnpm from asking.
  const env = Object.assign({}, process.env, { CI: "true", NODE_ENV: "development" });
  const result = spawnSync("npx", ["--yes", PNPM, "install", "--frozen-lockfile"], {
    cwd: root,
    env,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (result.error !== undefined)
    fail(`npx does not start (${result.error.message}). Install npm, which it is part of.`);
  if (result.signal !== null) process.exit(128 + constants.signals[result.signal]);
  if (result.status !== 0) fail(`${result.stdout}${result.stderr}\nThe installation failed.`);
  if (!existsSync(node))
    fail(`The installation left no Node ${SOURCES_NODE} at ${node}. Is pnpm told to skip optional dependencies?`);
  writeFileSync(stamp, wanted);
  console.error(`Installed in ${Math.round((Date.now() - startedMs) / 1000)} s.`);
}

/** What the installation depends on: the lock file, every package.json, and the platform it is for. */
function fingerprint() {
  const hash = createHash("sha256").update(`${process.platform}-${process.arch} ${PNPM}`);
  const files = ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"];
  for (const folder of ["apps", "packages"]) {
    // oxlint-disable-next-line unicorn/no-array-sort -- Node 18 has no toSorted.
    for (const name of readdirSync(join(root, folder)).sort()) files.push(join(folder, name, "package.json"));
  }
  for (const file of files.map((name) => join(root, name))) if (existsSync(file)) hash.update(readFileSync(file));
  return hash.digest("hex");
}

/** Runs a command to its end in place of this process, as far as signals and the exit code go. */
function handOver(file, args) {
  const cache = join(root, "node_modules", ".cache", "compile");
  mkdirSync(cache, { recursive: true });
  const env = Object.assign({ NODE_COMPILE_CACHE: cache }, process.env);
  // The channel tells a relay that this process is gone, however it went.
  const stdio = ["inherit", "inherit", "inherit", ...(command === "start" ? ["ipc"] : [])];
  const child = spawn(file, args, { cwd: root, env, stdio });
  child.on("error", (error) => fail(`${file} does not start: ${error.message}`));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  // Ctrl-C reaches the child by itself: it is in the terminal's process group like this process. A second
  // one would count as impatience, so it is passed on only where there is no terminal.
  const hasTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  process.on("SIGINT", () => {
    if (!hasTerminal) child.kill("SIGINT");
  });
  // npm runs us in a shell. A SIGTERM to npm ends that shell alone, and we are left with another parent.
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
