// The scripts of docs/postgres.md, as they stand there: one role migrates, and gateway and worker run with another,
// which only reads and writes rows.

import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { openDatabase } from "@sluice/store/connection/database";
import { migrate } from "@sluice/store/connection/migrate";

import { startEmbeddedPostgres } from "../scripts/postgres/embedded.ts";
import { startReceiver } from "./support/receiver.ts";
import { createQueueRedis, startRelay } from "./support/relay.ts";
import { runSql } from "./support/sql.ts";
import { until } from "./support/wait.ts";

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
  };
}

test("the apps run with a role that only reads and writes rows, partitions included", async () => {
  const { url, migrateUrl, appUrl } = await startServer();
  await runSql(url, readScript("migrate"));
  // Without the right to read what is migrated, and before anything is.
  await expect(migrate(appUrl)).rejects.toMatchObject({ code: "migration_pending" });
  await migrate(migrateUrl);
  await expect(migrate(appUrl)).rejects.toMatchObject({ code: "migration_pending" });
  await runSql(migrateUrl, readScript("app"));
  await migrate(appUrl);
  for (const change of ["CREATE TABLE own ()", "ALTER TABLE events ADD COLUMN own text", "DROP TABLE audit_log"]) {
    await expect(runSql(appUrl, change)).rejects.toMatchObject({ code: expect.stringMatching(/42501|42P01/) });
  }
  await runSql(url, "SELECT ensure_partitions('2020-01-01', '2020-01-02')");

  const db = openDatabase({ url: appUrl, applicationName: "sluice-test", maxConnections: 2, onError: () => undefined });
  const redis = await createQueueRedis();
  const relay = await startRelay({ url: appUrl, db, drop: async () => undefined }, redis?.url);
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
