// An upgrade, and the way back: processes of the previous version and of this one run on the same stores, in every
// combination, and each restarts beside the other.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, inject, onTestFinished, test } from "vitest";

import { generateSigningSecret } from "@sluice/signature/secret";

import { createTestDatabase } from "./support/database.ts";
import { startMember } from "./support/member.ts";
import { claimPort } from "./support/ports.ts";
import { postWebhook } from "./support/post-webhook.ts";
import { checkOutVersion, findPreviousCommit } from "./support/previous-version.ts";
import { openProcessGroup } from "./support/process-group.ts";
import { startReceiver } from "./support/receiver.ts";
import { createQueueRedis } from "./support/relay.ts";
import { geminiEvent, signWebhook } from "./support/sign.ts";
import { runSql } from "./support/sql.ts";
import { until } from "./support/wait.ts";

const PRESENT = fileURLToPath(new URL("..", import.meta.url));
const EVENTS = 20;
/** The only variables that the processes inherit. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "NODE_COMPILE_CACHE"];
const LAST_MIGRATION = "SELECT max(created_at) AS at FROM drizzle.__drizzle_migrations";

interface Migrations {
  entries: { when: number; tag: string }[];
}

const readMigrations = (directory: string): Migrations["entries"] =>
  (JSON.parse(readFileSync(join(directory, "drizzle", "meta", "_journal.json"), "utf8")) as Migrations).entries;

test("the previous version and this one work together, whichever of them restarts", async ({ skip }) => {
  const found = await findPreviousCommit();
  if ("missing" in found) return skip(found.missing);
  const group = openProcessGroup();
  onTestFinished(() => group.remove());
  const previous = join(group.directory, "previous");
  await checkOutVersion(found.commit, previous);
  // A migration that came in between would never run in a database that the previous version migrated.
  const before = readMigrations(previous);
  expect(readMigrations(PRESENT).slice(0, before.length)).toEqual(before);

  const database = await createTestDatabase(null);
  onTestFinished(database.drop);
  const redis = await createQueueRedis();
  if (redis !== undefined) onTestFinished(redis.drop);
  const receiver = await startReceiver();
  onTestFinished(receiver.stop);
  const secret = generateSigningSecret().text;
  const apiKey = `test-key-${randomBytes(16).toString("hex")}`;
  const env = {
    ...Object.fromEntries(INHERITED.map((name) => [name, process.env[name]])),
    DATABASE_URL: database.url,
    REDIS_URL: redis?.url,
    HOST: "127.0.0.1",
    TARGET_LOOPBACK: "allow",
    MASTER_KEY: randomBytes(32).toString("base64"),
    ADMIN_API_KEY: apiKey,
    GEMINI_SIGNING_SECRET: secret,
    DATA_DIR: group.directory,
  };
  const start = async (role: "gateway" | "worker", directory: string) => {
    const [port, apiPort, workerPort] = [await claimPort(), await claimPort(), await claimPort()];
    const name = `${role}-${directory === PRESENT ? "present" : "previous"}-${port}`;
    const readyPort = role === "gateway" ? apiPort : workerPort;
    const app = {
      name,
      entry: join(directory, "apps", role, "src", "main.ts"),
      readyUrl: `http://127.0.0.1:${readyPort}/readyz`,
      env: { ...env, PORT: String(port), API_PORT: String(apiPort), WORKER_PORT: String(workerPort) },
      stopLimitMs: 45_000,
    };
    const logFile = join(group.directory, `${name}.log`);
    const member = startMember(app, logFile);
    group.add(member.pid, "SIGKILL");
    onTestFinished(async () => {
      if (member.pid() !== undefined) member.signal("SIGKILL");
      await member.stop().catch(() => undefined);
    });
    await member.waitUntilReady();
    return { ...member, logFile, ingressUrl: `http://127.0.0.1:${port}`, apiUrl: `http://127.0.0.1:${apiPort}` };
  };
  let sent = 0;
  /** Sends events through a gateway, which must accept each. @returns their webhook ids. */
  const send = async ({ ingressUrl }: { ingressUrl: string }): Promise<string[]> => {
    const events = Array.from({ length: EVENTS }, () => signWebhook({ secret, body: geminiEvent() }));
    const answers = await Promise.all(events.map((signed) => postWebhook(ingressUrl, signed)));
    expect(answers.map(({ status }) => status)).toEqual(events.map(() => 200));
    sent += EVENTS;
    return events.map(({ webhookId }) => webhookId);
  };
  const untilDelivered = (ids: string[]) =>
    until(() => ids.every((id) => receiver.requests.some(({ headers }) => headers["webhook-id"] === id)));

  // The relay before the upgrade.
  const [oldGateway, oldWorker] = await Promise.all([start("gateway", previous), start("worker", previous)]);
  const createOnOld = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const created = await fetch(oldGateway.apiUrl + path, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(created.status).toBe(201);
    return (await created.json()) as Record<string, unknown>;
  };
  await createOnOld("/v1/targets", { uri: receiver.url, subscribed_events: ["*"] });
  // The previous version gives the same name twice, before the migration and after it.
  const sameName = async () => {
    const target = { name: "same", uri: receiver.url, subscribed_events: ["*"], state: "disabled" };
    await createOnOld("/v1/targets", target);
    await createOnOld("/v1/keys", { name: "same", scopes: ["read"] });
  };
  await sameName();
  await sameName();
  await untilDelivered(await send(oldGateway));

  // A worker of this version migrates, and takes the jobs of the old gateway, which restarts on the new schema.
  const [newWorker] = await Promise.all([start("worker", PRESENT), oldWorker.stop()]);
  const last = Math.max(...readMigrations(PRESENT).map(({ when }) => when));
  expect(await runSql(database.url, LAST_MIGRATION)).toEqual([{ at: String(last) }]);
  const log = readFileSync(newWorker.logFile, "utf8");
  for (const kind of ["targets", "API keys"]) {
    expect(log).toMatch(new RegExp(`"level":"warn".*Several ${kind} had the name .*is now named .*same-2`));
  }
  await sameName();
  for (const table of ["targets", "api_keys"]) {
    const named = await runSql(database.url, `SELECT name FROM ${table} WHERE name LIKE 'same%' ORDER BY id`);
    expect(named.map(({ name }) => name)).toEqual(["same", "same-2", "same-3"]);
  }
  await untilDelivered(await send(oldGateway));
  await Promise.all([oldGateway.restart(), newWorker.restart()]);
  await untilDelivered(await send(oldGateway));

  // And the reverse: an old worker starts on the new schema, and takes the jobs of a gateway of this version.
  const [newGateway, oldAgain] = await Promise.all([start("gateway", PRESENT), start("worker", previous)]);
  await Promise.all([oldGateway.stop(), newWorker.stop()]);
  const first = await send(newGateway);
  // In Redis this version may have other keys than the previous one. Then its jobs wait for a worker of this version.
  if (inject("queue") === "postgres") await untilDelivered(first);
  await Promise.all([newGateway.restart(), oldAgain.restart()]);
  const second = await send(newGateway);
  if (inject("queue") === "redis") await start("worker", PRESENT);
  await untilDelivered([...first, ...second]);

  const open = "SELECT FROM deliveries WHERE status <> 'succeeded'";
  await until(async () => (await runSql(database.url, open)).length === 0);
  expect(await runSql(database.url, "SELECT count(*)::int AS count FROM events")).toEqual([{ count: sent }]);
});
