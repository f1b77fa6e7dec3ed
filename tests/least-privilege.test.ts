// One role migrates, and gateway and worker run with another, which only reads and writes rows. The roles are made by the
// scripts of docs/postgres.md, as they stand there, or by the process that migrates.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import pg from "pg";
import { expect, onTestFinished, test } from "vitest";

import { openDatabase } from "@sluice/store/connection/database";
import { migrate } from "@sluice/store/connection/migrate";
import { isContended } from "@sluice/store/connection/postgres-errors";
import { migrateWithRoles, type RoleUrls, rowGrants } from "@sluice/store/connection/roles";

import { startEmbeddedPostgres } from "../scripts/postgres/embedded.ts";
import { startReceiver } from "./support/receiver.ts";
import { createQueueRedis, startRelay } from "./support/relay.ts";
import { runSql } from "./support/sql.ts";
import { until } from "./support/wait.ts";

const MASTER_KEY = randomBytes(32).toString("base64");
const GUIDE = readFileSync(join(import.meta.dirname, "../docs/postgres.md"), "utf8");

/** @returns the SQL below the comment `<!-- grants: name -->`. */
function readScript(name: string): string {
  const script = new RegExp(`<!-- grants: ${name} -->\\s+\`\`\`sql\n(.*?)\`\`\``, "s").exec(GUIDE)?.[1];
  if (script === undefined) throw new Error(`docs/postgres.md has no script ${name}`);
  return script;
}

/** A server of its own: the scripts name roles, which a server has once, and the database `sluice`. */
async function startServer() {
  const directory = mkdtempSync(join(tmpdir(), "sluice-roles-"));
  chmodSync(directory, 0o711);
  const server = await startEmbeddedPostgres({
    dataDir: join(directory, "postgres"),
    settings: { fsync: "off", autovacuum: "off" },
  });
  onTestFinished(async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  const urlOf = (role: string, password: string) => {
    const url = new URL(server.url);
    url.username = role;
    url.password = password;
    return url.href;
  };
  return {
    url: server.url,
    migrateUrl: urlOf("sluice_migrate", "change me"),
    appUrl: urlOf("sluice_app", "change me too"),
    urlOf,
  };
}

/** A server, and the URLs of the roles that {@link migrateWithRoles} makes there. */
async function startServerForRoles() {
  const { url, urlOf } = await startServer();
  const urls: RoleUrls = { admin: url, owner: urlOf("sluice_migrate", "owner"), app: urlOf("sluice_app", "app") };
  return { url, urls, urlOf };
}

/** Runs the apps with a URL until the test ends, and sends one event through them. */
async function deliverOneEvent(url: string) {
  const db = openDatabase({ url, applicationName: "sluice-test", maxConnections: 2, onError: () => undefined });
  const redis = await createQueueRedis();
  const relay = await startRelay({ url, db, drop: async () => undefined }, redis?.url, { settings: { MASTER_KEY } });
  const receiver = await startReceiver();
  onTestFinished(async () => {
    await relay.stop();
    await receiver.stop();
    await db.close();
    await redis?.drop();
  });
  await relay.createTarget(receiver);
  const signed = await relay.sendEvent();
  await receiver.waitFor(1);
  expect(receiver.requests[0]?.body).toEqual(signed.body);
  await until(() => relay.call("GET", "/v1/deliveries"), { accept: (page) => page.data[0]?.status === "succeeded" });
  return { relay, receiver };
}

/** Tries again, as scripts/migrate.ts does, while a running relay is in the way. */
async function migrateAmongOthers(urls: RoleUrls): Promise<"migrated" | "newer"> {
  for (;;) {
    try {
      return await migrateWithRoles(urls);
    } catch (error) {
      if (!isContended(error)) throw error;
    }
  }
}

/** What a role that only reads and writes rows must not be able to do. */
const FORBIDDEN = [
  "CREATE TABLE own ()",
  "CREATE SCHEMA own",
  "ALTER TABLE events ADD COLUMN own text",
  "DROP TABLE targets",
  "DROP TABLE bullmq.job",
  "SELECT rolpassword FROM pg_authid",
  "CREATE ROLE own SUPERUSER",
  "COPY (SELECT 1) TO PROGRAM 'true'",
  "SELECT pg_read_file('postgresql.conf')",
  "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('x', 1)",
];

async function expectFewRights(app: string): Promise<void> {
  const role =
    "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication FROM pg_roles WHERE rolname = current_user";
  expect(Object.values((await runSql(app, role))[0] ?? {})).toEqual([false, false, false, false, false]);
  for (const statement of FORBIDDEN) {
    await expect(runSql(app, statement), statement).rejects.toMatchObject({ code: "42501" });
  }
}

const OWNERS = `
SELECT DISTINCT pg_get_userbyid(owner) AS owner FROM (
  SELECT relowner AS owner, relnamespace AS schema FROM pg_class WHERE relkind <> 't'
  UNION ALL SELECT proowner, pronamespace FROM pg_proc
  UNION ALL SELECT typowner, typnamespace FROM pg_type
  UNION ALL SELECT nspowner, oid FROM pg_namespace WHERE nspname <> 'public'
) AS owned WHERE schema IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'bullmq', 'drizzle'))`;

test("the apps run with a role that only reads and writes rows, partitions included", async () => {
  const { url, migrateUrl, appUrl } = await startServer();
  await runSql(url, readScript("migrate"));
  // Without the right to read what is migrated, and before anything is.
  await expect(migrate(appUrl)).rejects.toMatchObject({ code: "migration_pending" });
  await migrate(migrateUrl);
  await expect(migrate(appUrl)).rejects.toMatchObject({ code: "migration_pending" });
  await runSql(migrateUrl, readScript("app"));
  await migrate(appUrl);
  await expectFewRights(appUrl);
  await runSql(url, "SELECT ensure_partitions('2020-01-01', '2020-01-02')");

  const { relay } = await deliverOneEvent(appUrl);
  // The worker makes partitions, and drops those past retention.
  const days = "SELECT relname FROM pg_class WHERE relname ~ '^events_2020' AND relkind = 'r'";
  await until(() => runSql(url, days), { accept: (rows) => rows.length === 0 });
  expect((await relay.readiness()).body).toMatchObject({ status: "ready" });
  const owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'";
  expect(await runSql(url, owners)).toEqual([{ tableowner: "sluice_migrate" }]);
  expect(relay.logLines.filter((line) => /permission denied|must be owner/.test(line))).toEqual([]);
});

test("nobody else may call what runs with the rights of the owner", async () => {
  const { url, migrateUrl } = await startServer();
  await runSql(url, readScript("migrate"));
  await migrate(migrateUrl);
  await runSql(url, "CREATE ROLE stranger LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA public TO stranger");
  const stranger = new URL(url);
  stranger.username = "stranger";
  stranger.password = "x";
  await expect(runSql(stranger.href, "SELECT ensure_partitions('2020-01-01', '2020-01-01')")).rejects.toMatchObject({
    code: "42501",
  });
  const lent = await runSql(
    url,
    "SELECT proname, proconfig FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace",
  );
  expect(lent.length).toBeGreaterThan(0);
  for (const { proconfig } of lent) expect(proconfig).toContainEqual("search_path=public, pg_temp");
});

test("the process that migrates makes the roles, and the apps run with few rights", async () => {
  const { url, urls } = await startServerForRoles();
  await migrateWithRoles(urls);
  await expectFewRights(urls.app);
  expect(await runSql(url, OWNERS)).toEqual([{ owner: "sluice_migrate" }]);
  const { relay } = await deliverOneEvent(urls.app);
  // A second start changes nothing, not even the stored passwords.
  const passwords = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname ~ '^sluice' ORDER BY 1";
  const stored = await runSql(url, passwords);
  await migrateAmongOthers(urls);
  expect(await runSql(url, passwords)).toEqual(stored);
  expect((await relay.readiness()).body).toMatchObject({ status: "ready" });
});

test("a database in which the superuser owned everything is handed over, while its relay runs", async () => {
  const { url, urls } = await startServerForRoles();
  await migrate(url);
  await runSql(url, "SELECT ensure_partitions('2020-01-01', '2020-01-02')");
  // The relay of the older version, with the superuser's URL.
  const { relay: old, receiver } = await deliverOneEvent(url);
  await migrateAmongOthers(urls);
  expect(await runSql(url, OWNERS)).toEqual([{ owner: "sluice_migrate" }]);
  await expectFewRights(urls.app);
  await old.sendEvent();
  await receiver.waitFor(2);
  await deliverOneEvent(urls.app);
  expect(await runSql(urls.app, "SELECT count(*)::int AS events FROM events")).toEqual([{ events: 3 }]);

  // What the older version makes after a way back belongs to the superuser, and is handed over by the next start.
  await runSql(url, "CREATE TABLE made_by_superuser (id bigserial); CREATE SEQUENCE bullmq.made_by_superuser");
  await migrateAmongOthers(urls);
  expect(await runSql(url, OWNERS)).toEqual([{ owner: "sluice_migrate" }]);
  // A later version migrates as the owner: the apps may use what it makes.
  await runSql(urls.owner, "CREATE TABLE later (id bigserial PRIMARY KEY); ALTER TABLE events ADD COLUMN later text");
  await runSql(urls.app, "INSERT INTO later DEFAULT VALUES");
  await runSql(urls.app, "UPDATE events SET later = 'x'");
});

test("npm run migrate waits for a backup that has the tables locked", async () => {
  const { url, urls } = await startServerForRoles();
  await migrate(url);
  const backup = new pg.Client({ connectionString: url });
  await backup.connect();
  await backup.query("BEGIN; LOCK TABLE events IN ACCESS SHARE MODE");
  const child = spawn(process.execPath, [join(import.meta.dirname, "../scripts/migrate.ts")], {
    env: { DATABASE_URL: urls.owner, DATABASE_ADMIN_URL: urls.admin, DATABASE_APP_URL: urls.app },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const closed = once(child, "close");
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    said += chunk;
  });
  await until(() => said.includes("Another session is in the way"), { what: "the word of the process" });
  await backup.end();
  expect([(await closed)[0], said]).toEqual([0, expect.stringMatching(/^Another session[^\n]*\n$/)]);
  expect(await runSql(url, OWNERS)).toEqual([{ owner: "sluice_migrate" }]);
});

test("a new password in a URL is the role's from then on, and a role that is a superuser is refused", async () => {
  const { url, urls, urlOf } = await startServerForRoles();
  await migrateWithRoles(urls);
  const changed = urlOf("sluice_app", "another");
  await migrateWithRoles({ ...urls, app: changed });
  await expect(runSql(urls.app, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
  await runSql(changed, "SELECT 1");
  await runSql(url, "CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'x'");
  for (const app of [urlOf("boss", "x"), urls.owner, url, urlOf("sluice_app", ""), urlOf("sluice_app", "pässword")]) {
    await expect(migrateWithRoles({ ...urls, app }), app).rejects.toMatchObject({ code: "invalid_configuration" });
  }
});

test("docs/postgres.md grants what the process that migrates grants", () => {
  const statements = readScript("app")
    .split(";")
    .map((statement) => statement.replaceAll(/\s+/g, " ").trim())
    .filter((statement) => statement !== "");
  expect(rowGrants("sluice_migrate", "sluice_app").map((statement) => statement.replaceAll('"', ""))).toEqual(
    statements,
  );
});
