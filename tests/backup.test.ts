// A relay that is lost comes back from its backup: what was acknowledged is delivered once, keys work, figures go on.

import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzipSync, gzipSync } from "node:zlib";

import { expect, onTestFinished, test } from "vitest";

import { idFloor, newId } from "@sluice/shared/domain/ids";
import { generateSigningSecret } from "@sluice/signature/secret";
import { readRevision } from "@sluice/store/connection/configuration-revision";
import { migrate } from "@sluice/store/connection/migrate";
import { storeEvents } from "@sluice/store/delivery/store-events";

import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { claimPort } from "./support/ports.ts";
import { type Receiver, startReceiver } from "./support/receiver.ts";
import { createQueueRedis, startRelay } from "./support/relay.ts";
import { runSluice } from "./support/run-sluice.ts";
import { makeDelivery, makeEvent, newLease, seedTarget } from "./support/seed.ts";
import { until } from "./support/wait.ts";

const PASSPHRASE = "correct horse battery staple";

async function openDatabase(template?: null): Promise<TestDatabase> {
  const database = await createTestDatabase(template);
  onTestFinished(database.drop);
  return database;
}

async function openReceiver(): Promise<Receiver> {
  const receiver = await startReceiver();
  onTestFinished(receiver.stop);
  return receiver;
}

function openDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-backup-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

const idsOf = ({ requests }: Receiver) => requests.map(({ headers }) => String(headers["webhook-id"]));

test("a restored relay delivers what was acknowledged, knows its keys, and goes on with its figures", async () => {
  const directory = openDirectory();
  const redis = await createQueueRedis();
  if (redis !== undefined) onTestFinished(redis.drop);
  const database = await openDatabase();
  const settings = {
    MASTER_KEY: randomBytes(32).toString("base64"),
    GEMINI_SIGNING_SECRET: generateSigningSecret().text,
    RETENTION_DAYS: "30",
  };
  const relay = await startRelay(database, redis?.url, { settings });
  const [running, paused] = [await openReceiver(), await openReceiver()];
  await relay.createTarget(running, { name: "running", headers: { authorization: "Bearer of-the-target" } });
  await relay.createTarget(paused, { name: "paused", state: "paused" });
  const { key } = await relay.call("POST", "/v1/keys", { name: "of an operator", scopes: ["read"] });
  const signed = { secret: settings.GEMINI_SIGNING_SECRET };
  const delivered = [await relay.sendEvent(signed), await relay.sendEvent(signed), await relay.sendEvent(signed)];
  await running.waitFor(3);
  const countOf = async (from: Pick<typeof relay, "call">) => {
    const { data } = await from.call("GET", "/v1/stats?group_by=source&interval=day");
    return (data as { events: number }[]).reduce((sum, { events }) => sum + events, 0);
  };
  await until(() => countOf(relay), { accept: (events) => events === 3 });
  await relay.stopWorker();
  const queued = [await relay.sendEvent(signed), await relay.sendEvent(signed)];

  const file = join(directory, "relay.sluice");
  const env = { DATABASE_URL: database.url, REDIS_URL: redis?.url, ...settings };
  const passphrase = { SLUICE_BACKUP_PASSPHRASE: PASSPHRASE };
  const backup = await runSluice(["backup", file, "--json"], { env: { ...env, ...passphrase } });
  expect(backup, backup.err).toMatchObject({ code: 0 });
  expect(JSON.parse(backup.out.toString())).toMatchObject({ has_master_key: true });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  await relay.stop();
  await redis?.drop();

  const copy = await openDatabase(null);
  const dataDir = join(directory, "data");
  const where = { DATABASE_URL: copy.url, DATA_DIR: dataDir };
  const restored = await runSluice(["restore", file, "--json"], { env: { ...where, ...passphrase } });
  expect(restored, restored.err).toMatchObject({ code: 0 });
  expect(JSON.parse(restored.out.toString()).intake_jobs).toBeGreaterThan(0);
  const masterKey = readFileSync(join(dataDir, "master-key"), "utf8").trim();
  expect(masterKey).toBe(settings.MASTER_KEY);

  const second = await startRelay(copy, redis?.url, { settings });
  onTestFinished(second.stop);
  const all = [...delivered, ...queued].map(({ webhookId }) => webhookId);
  await running.waitFor(5);
  const [target] = (await second.call("GET", "/v1/targets?name=paused")).data;
  await second.call("POST", `/v1/targets/${target.id}:resume`);
  await paused.waitFor(5);
  expect(idsOf(paused).toSorted()).toEqual(all.toSorted());
  expect(running.requests.at(-1)?.headers.authorization).toBe("Bearer of-the-target");
  const asked = await fetch(`${second.apiUrl}/v1/events`, { headers: { authorization: `Bearer ${key}` } });
  expect(asked.status).toBe(200);
  const one = await second.sendEvent(signed);
  await running.waitFor(6);
  expect(idsOf(running).toSorted()).toEqual([...all, one.webhookId].toSorted());
  await until(() => countOf(second), { accept: (events) => events === 6 });
});

test("every row of a restored database is as it was, and every key opens its secrets", async () => {
  const directory = openDirectory();
  const database = await openDatabase();
  const settings = { MASTER_KEY: randomBytes(32).toString("base64") };
  const relay = await startRelay(database, undefined, { settings });
  const receiver = await openReceiver();
  receiver.answerWith((_, index) => (index % 2 === 0 ? {} : { status: 500, body: 'a\tb\\N\n"\u0000é' }));
  await relay.createTarget(receiver, { name: "back\\slash \\N \\. quote' é 🦆" });
  for (let sent = 0; sent < 5; sent++)
    await relay.sendEvent({ body: `{"type":"x","data":{"text":"\\\\. \\n ${sent} 🦆"}}` });
  await relay.sendEvent({ body: Buffer.from([0, 1, 2, 92, 46, 10, 92, 46, 10, 255]) as unknown as string });
  await receiver.waitFor(8);
  await relay.stop();
  const env = { DATABASE_URL: database.url, ...settings };
  const file = join(directory, "relay.sluice");
  expect(await runSluice(["backup", file, "--no-master-key"], { env })).toMatchObject({ code: 0 });

  const copy = await openDatabase(null);
  const restored = await runSluice(["restore", file], { env: { ...env, DATABASE_URL: copy.url } });
  expect(restored, restored.err).toMatchObject({ code: 0 });
  const before = await readRows(database);
  expect(Object.keys(before).length).toBeGreaterThan(40);
  expect(await readRows(copy)).toEqual(before);
  const triggers = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'";
  expect((await copy.db.pool.query(triggers)).rows).toEqual((await database.db.pool.query(triggers)).rows);
});

/** Every row of each table of the relay, as text. BullMQ's own tables are not in a backup. */
async function readRows({ db }: TestDatabase): Promise<Record<string, string[]>> {
  const { rows: tables } = await db.pool.query<{ name: string }>(
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
  );
  const read = ({ name }: { name: string }) =>
    db.pool.query<{ text: string }>(`SELECT t::text AS text FROM "${name}" t ORDER BY 1`);
  const all = await Promise.all(tables.map(read));
  return Object.fromEntries(all.map(({ rows }, index) => [tables[index]?.name, rows.map(({ text }) => text)]));
}

/** A small backup of a relay, and the settings that made it. */
async function makeBackup(directory: string) {
  const database = await openDatabase();
  const settings = { MASTER_KEY: randomBytes(32).toString("base64") };
  const relay = await startRelay(database, undefined, { settings });
  await relay.sendEvent();
  await relay.stop();
  const file = join(directory, "relay.sluice");
  const env = { DATABASE_URL: database.url, SLUICE_BACKUP_PASSPHRASE: PASSPHRASE, ...settings };
  expect(await runSluice(["backup", file], { env })).toMatchObject({ code: 0 });
  return { env, file };
}

const countTables = async ({ db }: TestDatabase) =>
  (await db.pool.query("SELECT FROM pg_tables WHERE schemaname = 'public'")).rowCount;

test("a backup that is cut off or damaged is refused before anything is written", async () => {
  const directory = openDirectory();
  const { env, file } = await makeBackup(directory);
  const copy = await openDatabase(null);
  const where = { ...env, DATABASE_URL: copy.url };
  const whole = readFileSync(file);
  const text = gunzipSync(whole);
  const last = text.lastIndexOf("-- end");
  const cases: [string, Buffer, string][] = [
    ["nothing", Buffer.alloc(0), "is cut off"],
    ["half of the file", whole.subarray(0, whole.length / 2), "is cut off"],
    ["the file without its last byte", whole.subarray(0, -1), "is cut off"],
    ["a compressed half", gzipSync(text.subarray(0, text.length / 2)), "is cut off"],
    ["all but the checksum", gzipSync(text.subarray(0, last)), "is cut off"],
    [
      "another letter",
      gzipSync(Buffer.from(text.toString("latin1").replace("gemini-dynamic", "gemini-dynamiC"), "latin1")),
      "checksum",
    ],
    ["a line more", gzipSync(Buffer.concat([text, Buffer.from("DROP TABLE events;\n")])), "has data after its end"],
    [
      "a statement",
      gzipSync(Buffer.concat([text.subarray(0, last), Buffer.from("DROP TABLE x;\n")])),
      "cannot be read",
    ],
    ["another file", gzipSync("hello\n"), "is no backup of Sluice"],
    ["no gzip", Buffer.from("-- sluice-backup {}\n"), "is no intact gzip file"],
  ];
  for (const [name, content, message] of cases) {
    const damaged = join(directory, name.replaceAll(" ", "-"));
    writeFileSync(damaged, content);
    const refused = await runSluice(["restore", damaged], { env: where });
    expect(refused, name).toMatchObject({ code: 1, err: expect.stringContaining(message) });
    expect(await countTables(copy), name).toBe(0);
  }
  // What comes by a pipe is found out while it is loaded, and leaves no row.
  const [, , , , , letter] = cases;
  const piped = await runSluice(["restore", "-"], { env: where, stdin: Readable.from([letter?.[1]]) });
  expect(piped).toMatchObject({ code: 1, err: expect.stringContaining("checksum") });
  expect((await copy.db.pool.query("SELECT FROM sources")).rowCount).toBe(0);
  const restored = await runSluice(["restore", "-"], { env: where, stdin: Readable.from([whole]) });
  expect(restored, restored.err).toMatchObject({ code: 0 });
  const used = await runSluice(["restore", file], { env: where });
  expect(used).toMatchObject({ code: 5, err: expect.stringContaining("The database is not empty") });
});

test("the master key that is here, the one in the backup and the data belong together", async () => {
  const directory = openDirectory();
  const { env, file } = await makeBackup(directory);
  const copy = await openDatabase(null);
  const where = { DATABASE_URL: copy.url, DATA_DIR: join(directory, "data") };
  const wrong = await runSluice(["restore", file], {
    env: { ...where, SLUICE_BACKUP_PASSPHRASE: "another passphrase" },
  });
  expect(wrong).toMatchObject({ code: 4, err: expect.stringContaining("passphrase does not open") });
  const short = await runSluice(["restore", file], { env: { ...where, SLUICE_BACKUP_PASSPHRASE: "short" } });
  expect(short).toMatchObject({ code: 2, err: expect.stringContaining("at least 12 characters") });
  const other = { ...where, MASTER_KEY: randomBytes(32).toString("base64") };
  const mismatch = await runSluice(["restore", file], { env: other });
  expect(mismatch).toMatchObject({ code: 1, err: expect.stringContaining("is not the one of this backup") });
  expect(await countTables(copy)).toBe(0);
  const foreign = await runSluice(["backup", join(directory, "other"), "--no-master-key"], {
    env: { ...env, MASTER_KEY: other.MASTER_KEY },
  });
  expect(foreign).toMatchObject({ code: 1, err: expect.stringContaining("is not the one of this database") });
  const undecided = await runSluice(["backup", join(directory, "other")], { env: { DATABASE_URL: env.DATABASE_URL } });
  expect(undecided).toMatchObject({ code: 2, err: expect.stringContaining("--no-master-key") });
  const unsealed = await runSluice(["master-key", "unseal", file], { env });
  expect(unsealed).toMatchObject({ code: 0, out: Buffer.from(`${env.MASTER_KEY}\n`) });
  const exists = await runSluice(["backup", file], { env });
  expect(exists).toMatchObject({ code: 5, err: expect.stringContaining("exists already") });
});

test("a backup of an older schema is restored and migrated, and one of a newer schema is refused", async () => {
  const directory = openDirectory();
  const journal = JSON.parse(readFileSync(new URL("../drizzle/meta/_journal.json", import.meta.url), "utf8"));
  const older = journal.entries.at(-3).when as number;
  const old = await openDatabase(null);
  await migrate(old.url, { upTo: older });
  await old.db.pool.query(
    "INSERT INTO sources (id, name, kind, schemes, tolerance_seconds) VALUES (gen_random_uuid(), 'older', 'static', '{v1}', 300)",
  );
  const file = join(directory, "old.sluice");
  const made = await runSluice(["backup", file, "--no-master-key"], { env: { DATABASE_URL: old.url } });
  expect(made, made.err).toMatchObject({ code: 0 });
  const copy = await openDatabase(null);
  const restored = await runSluice(["restore", file], { env: { DATABASE_URL: copy.url } });
  expect(restored, restored.err).toMatchObject({ code: 0 });
  expect((await copy.db.pool.query("SELECT name FROM sources")).rows).toEqual([{ name: "older" }]);
  expect(await migrate(copy.url)).toBe("migrated");
  const last = "SELECT max(created_at)::float8 AS at FROM drizzle.__drizzle_migrations";
  expect((await copy.db.pool.query(last)).rows).toEqual([{ at: journal.entries.at(-1).when }]);

  const migrated = await openDatabase(null);
  await migrate(migrated.url);
  const late = await runSluice(["restore", file], { env: { DATABASE_URL: migrated.url } });
  expect(late).toMatchObject({ code: 5, err: expect.stringContaining("it has a newer schema than the backup") });

  const newer = gunzipSync(readFileSync(file))
    .toString()
    .replace(`"schema":${older}`, `"schema":${older + 1}`);
  const body = newer.slice(0, newer.lastIndexOf("-- end"));
  const sum = createHash("sha256").update(body).digest("hex");
  writeFileSync(join(directory, "newer.sluice"), gzipSync(`${body}-- end sha256 ${sum}\n`));
  const empty = await openDatabase(null);
  const refused = await runSluice(["restore", join(directory, "newer.sluice")], { env: { DATABASE_URL: empty.url } });
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("does not know the schema") });
});

test("without Redis there is no backup, unless it is left out by name", async () => {
  const directory = openDirectory();
  const database = await openDatabase();
  const env = { DATABASE_URL: database.url, REDIS_URL: `redis://127.0.0.1:${await claimPort()}` };
  const file = join(directory, "relay.sluice");
  const refused = await runSluice(["backup", file, "--no-master-key"], { env });
  expect(refused).toMatchObject({ code: 6, err: expect.stringContaining("Redis cannot be read") });
  expect(readdirSync(directory)).toEqual([]);
  expect(await runSluice(["backup", file, "--no-master-key", "--no-redis"], { env })).toMatchObject({ code: 0 });
});

test("the partitions of a restored log are those of the backup, also the one that keeps unfinished deliveries", async () => {
  const directory = openDirectory();
  const database = await openDatabase();
  const { pool } = database.db;
  await pool.query("SELECT ensure_partitions('2023-03-01', '2023-03-03')");
  const event = makeEvent({ id: idFloor(Date.parse("2023-03-02T12:00:00Z")) });
  const target = await seedTarget(database.db);
  await storeEvents(
    database.db,
    await readRevision(database.db, "targets"),
    [event],
    [makeDelivery(event, target)],
    newLease(),
  );
  await pool.query("SELECT retire_days('2023-03-01', '2023-03-03')");
  const file = join(directory, "relay.sluice");
  const env = { DATABASE_URL: database.url };
  expect(await runSluice(["backup", file, "--no-master-key"], { env })).toMatchObject({ code: 0 });
  const copy = await openDatabase(null);
  const restored = await runSluice(["restore", file], { env: { DATABASE_URL: copy.url } });
  expect(restored, restored.err).toMatchObject({ code: 0 });
  const partitions = `SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c WHERE relispartition AND
    relkind = 'r' ORDER BY 1`;
  const after = await copy.db.pool.query(partitions);
  expect(after.rows).toEqual((await pool.query(partitions)).rows);
  expect(after.rows.map(({ relname }) => relname)).toContain("events_kept_20230301_20230303");
  expect((await copy.db.pool.query("SELECT FROM events_kept_20230301_20230303")).rowCount).toBe(1);
});

test("a backup of a large log needs no memory for it", async () => {
  const directory = openDirectory();
  const database = await openDatabase();
  const megabytes = 120;
  for (let made = 0; made < megabytes; made++) {
    const values = [newId(), randomBytes(1024 * 1024)];
    await database.db.pool.query(
      `INSERT INTO events (id, source_id, webhook_id, received_at, scheme, body)
       VALUES ($1::uuid, gen_random_uuid(), $1::uuid::text, now(), 'v1', $2)`,
      values,
    );
  }
  const file = join(directory, "relay.sluice");
  const copy = await openDatabase(null);
  const main = fileURLToPath(new URL("../apps/cli/src/main.ts", import.meta.url));
  const report = 'data:text/javascript,process.on("exit",()=>console.error("KiB "+process.resourceUsage().maxRSS))';
  const run = async (url: string, ...args: string[]) => {
    const env = { PATH: process.env["PATH"], DATABASE_URL: url };
    const { stderr } = await promisify(execFile)(process.execPath, ["--import", report, main, ...args], { env });
    return Number(/^KiB (\d+)$/m.exec(stderr)?.[1]) / 1024;
  };
  // It loads what a backup loads, and reads next to nothing.
  const idle = await run(database.url, "lost-secrets");
  const backup = await run(database.url, "backup", file, "--no-master-key");
  const restore = await run(copy.url, "restore", file);
  // In hexadecimal, the log is twice as large.
  expect(Math.max(backup, restore) - idle).toBeLessThan(1.5 * megabytes);
  expect((await copy.db.pool.query("SELECT FROM events")).rowCount).toBe(megabytes);
});
