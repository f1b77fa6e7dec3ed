// `npm start` as a whole: what its processes may do, and that it goes on with the data of an older version.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import { generateSigningSecret } from "@sluice/signature/secret";
import { migrate } from "@sluice/store/connection/migrate";
import { expect, onTestFinished, test } from "vitest";

import { runSql } from "../tests/support/sql.ts";
import { until } from "../tests/support/wait.ts";
import { startEmbeddedPostgres } from "./postgres/embedded.ts";

const SCRIPT = fileURLToPath(new URL("start.ts", import.meta.url));
const API_KEY = "an-api-key-of-this-test-0123456789";

function openDataDir(): string {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-start-"));
  chmodSync(dataDir, 0o711);
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

/** Starts a relay on free ports, and waits until it runs. */
async function start(dataDir: string) {
  const env = {
    PATH: process.env["PATH"],
    HOME: process.env["HOME"],
    DATA_DIR: dataDir,
    PORT: "0",
    API_PORT: "0",
    WORKER_PORT: "0",
    ADMIN_API_KEY: API_KEY,
    GEMINI_SIGNING_SECRET: generateSigningSecret().text,
  };
  const child: ChildProcess = spawn(process.execPath, [SCRIPT], { env, stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  const closed = once(child, "close");
  for (const input of [child.stdout, child.stderr]) {
    if (input !== null) createInterface({ input }).on("line", (line) => lines.push(line));
  }
  const stop = async () => {
    child.kill("SIGTERM");
    await closed;
    return child.exitCode;
  };
  onTestFinished(async () => void (await stop()));
  await until(() => lines, {
    accept: () => {
      if (child.exitCode !== null) throw new Error(lines.join("\n"));
      return lines.some((line) => line.includes("The relay is running"));
    },
    what: "the relay",
  });
  const { processes } = JSON.parse(readFileSync(join(dataDir, "relay.json"), "utf8")) as {
    processes: { pid: number }[];
  };
  return { lines, pids: processes.map(({ pid }) => pid), stop };
}

/** The URL of the superuser, by the files that PostgreSQL and `npm start` leave. */
function superuserUrl(dataDir: string): string {
  const password = readFileSync(join(dataDir, "postgres", "password"), "utf8").trim();
  const port = readFileSync(join(dataDir, "postgres", "cluster", "postmaster.pid"), "utf8").split("\n")[3];
  return `postgres://sluice:${password}@127.0.0.1:${port}/sluice`;
}

const SESSIONS = `
SELECT DISTINCT usename AS role, (SELECT rolsuper FROM pg_roles WHERE rolname = usename) AS is_super
FROM pg_stat_activity WHERE application_name ~ '^sluice-' AND pid <> pg_backend_pid() ORDER BY 1`;

/** The link that was printed opens the console, and signs in once. */
async function expectSignInLink(lines: readonly string[]): Promise<void> {
  const link = new URL(lines.find((line) => line.startsWith("  Console  "))?.slice("  Console  ".length) ?? "");
  const page = await fetch(link);
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("<title>Sluice</title>")]);
  const signIn = () =>
    fetch(new URL("/console/session", link), {
      method: "POST",
      headers: { origin: link.origin, "content-type": "application/json" },
      body: JSON.stringify({ code: link.hash.replace("#code=", "") }),
    });
  expect((await signIn()).status).toBe(201);
  expect((await signIn()).status).toBe(401);
}

test("npm start -- --version prints the version, and starts nothing", () => {
  const dataDir = openDataDir();
  const env = { PATH: process.env["PATH"], DATA_DIR: join(dataDir, "data") };
  expect(execFileSync(process.execPath, [SCRIPT, "--version"], { env, encoding: "utf8" })).toBe(`${SLUICE_VERSION}\n`);
  expect(existsSync(join(dataDir, "data"))).toBe(false);
});

test("npm start carries on with the data of an older version, and its apps are no superuser", async () => {
  const dataDir = openDataDir();
  // The older version had one role, the superuser.
  const old = await startEmbeddedPostgres({ dataDir: join(dataDir, "postgres") });
  await migrate(old.url);
  await runSql(
    old.url,
    "INSERT INTO sources (id, name, kind, schemes, tolerance_seconds) VALUES (gen_random_uuid(), 'older', 'static', '{v1}', 300)",
  );
  await old.stop();

  const relay = await start(dataDir);
  // The first start sends an event through the relay, and waits until it is delivered.
  expect(existsSync(join(dataDir, "first-proof")), relay.lines.join("\n")).toBe(true);
  const url = superuserUrl(dataDir);
  expect(await runSql(url, SESSIONS)).toEqual([{ role: "sluice_app", is_super: false }]);
  expect(await runSql(url, "SELECT name FROM sources WHERE name ~ 'older'")).toEqual([{ name: "older" }]);

  if (process.platform === "linux") {
    const environments = relay.pids.map((pid) => readFileSync(`/proc/${pid}/environ`, "utf8").split("\0"));
    const names = environments.map((environment) => environment.map((each) => each.split("=")[0] ?? ""));
    const having = (name: string) => names.filter((each) => each.includes(name)).length;
    // The gateway alone has the secrets that only it reads, and nobody has the superuser's URL.
    expect(names).toHaveLength(2);
    expect([having("ADMIN_API_KEY"), having("GEMINI_SIGNING_SECRET"), having("DATABASE_ADMIN_URL")]).toEqual([1, 1, 0]);
    expect(environments.flat().filter((each) => each.includes("//sluice:"))).toEqual([]);
  }
  await expectSignInLink(relay.lines);
  expect(relay.lines.find((line) => line.startsWith("  console "))).toMatch(/\/console\/events\/evt_[0-9a-z]{26}$/);
  expect(await relay.stop()).toBe(0);

  const again = await start(dataDir);
  expect(await runSql(superuserUrl(dataDir), SESSIONS)).toEqual([{ role: "sluice_app", is_super: false }]);
  expect(await again.stop()).toBe(0);
});
