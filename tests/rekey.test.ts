// Another master key: every secret works as before. A lost one: everything else works, and each secret can be set anew.

import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { MasterKey } from "@sluice/shared/settings/master-key";
import { generateSigningSecret } from "@sluice/signature/secret";
import { ENCRYPTED_COLUMNS } from "@sluice/store/configuration/rekey";
import { checkMasterKey } from "@sluice/store/connection/configuration-row";

import { createTestDatabase } from "./support/database.ts";
import { startReceiver } from "./support/receiver.ts";
import { createQueueRedis, type Relay, startRelay } from "./support/relay.ts";
import { runSluice } from "./support/run-sluice.ts";
import { geminiEvent, signWebhook } from "./support/sign.ts";
import { runSql } from "./support/sql.ts";
import { until } from "./support/wait.ts";

/** Columns of bytes that hold nothing encrypted: hashes, bodies and fingerprints. `configuration` has the check itself. */
const PLAIN_BYTES = [
  "api_keys.hash",
  "configuration.master_key_check",
  "console_codes.admin_key_code",
  "console_codes.code_hash",
  "console_sessions.admin_key_code",
  "console_sessions.token_hash",
  "events.body",
  "idempotency_keys.fingerprint",
  "idempotency_keys.key_hash",
  "idempotency_keys.meaning",
  "ingress_tokens.hash",
];

const newKey = () => randomBytes(32).toString("base64");

function openDataDir(key: string): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-rekey-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "master-key"), `${key}\n`);
  return directory;
}

const readKey = (directory: string) => readFileSync(join(directory, "master-key"), "utf8").trim();

const CHAT_URL = "http://127.0.0.1:9/services/of-this-test";

/** A relay with a secret of each kind. */
async function openRelay() {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const redis = await createQueueRedis();
  if (redis !== undefined) onTestFinished(redis.drop);
  const receiver = await startReceiver();
  onTestFinished(receiver.stop);
  const directory = openDataDir(newKey());
  // The source `gemini` of the environment, whose secret a database does not hold.
  const start = () => startRelay(database, redis?.url, { settings: { MASTER_KEY: readKey(directory) } });
  const relay = await start();
  const secret = generateSigningSecret().text;
  const source = await relay.call("POST", "/v1/sources", {
    name: "own",
    signing_secret: secret,
    gemini_api_key: "AIza-of-this-test",
  });
  const target = await relay.createTarget(receiver, { name: "billing", headers: { authorization: "Bearer of-it" } });
  await relay.createTarget(receiver, {
    name: "chat",
    kind: "slack",
    uri: CHAT_URL,
    subscribed_events: ["sluice.test"],
  });
  const env = { DATABASE_URL: database.url, DATA_DIR: directory };
  return { database, directory, env, receiver, relay, secret, source, start, target };
}

const post = (relay: Relay, secret: string) => relay.send(signWebhook({ secret, body: geminiEvent() }), "own");

/** Stops a relay, and waits until PostgreSQL has noticed: `rekey` looks at its connections. */
async function stopRelay(relay: Relay): Promise<void> {
  await relay.stop();
  const query = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
     AND application_name ~ '^sluice-(gateway|worker|queue)'`;
  await until(() => runSql(relay.database.url, query), { accept: (connections) => connections.length === 0 });
}

test("every encrypted column is known to rekey", async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const rows = await runSql(
    database.url,
    `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
     WHERE table_schema = 'public' AND data_type = 'bytea' AND table_name !~ '_[0-9]{8}$' ORDER BY 1`,
  );
  const known = [...PLAIN_BYTES, ...ENCRYPTED_COLUMNS.map(({ table, column }) => `${table}.${column}`)];
  expect(rows.map(({ name }) => name)).toEqual(known.toSorted());
});

test("after a rekey every secret works as before, and the old key is refused with both ways out", async () => {
  const { directory, env, receiver, relay, secret, start } = await openRelay();
  const headers = { authorization: `Bearer ${relay.apiKey}`, "content-type": "application/json" };
  const create = (apiUrl: string) =>
    fetch(`${apiUrl}/v1/keys`, {
      method: "POST",
      headers: { ...headers, "idempotency-key": "once" },
      body: JSON.stringify({ name: "once", scopes: ["read"] }),
    });
  const answer = await (await create(relay.apiUrl)).text();

  const busy = await runSluice(["rekey"], { env });
  expect(busy).toMatchObject({ code: 5 });
  expect(busy.err).toMatch(/sluice-gateway.*sluice-worker.*Nothing was changed/s);
  await stopRelay(relay);

  const old = readKey(directory);
  const done = await runSluice(["rekey"], { env });
  expect(done, done.err).toMatchObject({ code: 0 });
  expect(readKey(directory)).not.toBe(old);
  const kept = readdirSync(directory).find((name) => name.startsWith("master-key.until-"));
  expect(readFileSync(join(directory, kept ?? ""), "utf8").trim()).toBe(old);

  const again = await start();
  onTestFinished(again.stop);
  expect((await again.call("GET", "/v1/audit?resource=relay")).data).toMatchObject([
    {
      actor: { key: null, name: "sluice rekey" },
      action: "relay.master_key_changed",
      resource: { type: "relay", id: "relay" },
      after: { encrypted_values: expect.any(Number) },
    },
  ]);
  expect((await post(again, secret)).status).toBe(200);
  const [request] = await receiver.waitFor(1);
  expect(request?.headers.authorization).toBe("Bearer of-it");
  const sources = await again.call("GET", "/v1/sources?name=own");
  expect(sources.data[0].gemini_api_key).toBe("...test");
  // Kept encrypted for a day.
  const repeated = await fetch(`${again.apiUrl}/v1/keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${again.apiKey}`, "content-type": "application/json", "idempotency-key": "once" },
    body: JSON.stringify({ name: "once", scopes: ["read"] }),
  });
  expect(await repeated.text()).toBe(answer);

  // What a gateway and a worker do first.
  const wrong = checkMasterKey(again.database.db, new MasterKey(Buffer.from(old, "base64")));
  await expect(wrong).rejects.toMatchObject({ code: "master_key_mismatch" });
  await expect(wrong).rejects.toThrow(/DATABASE_URL.*MASTER_KEY.*unseal.*rekey --lost/s);
});

test("a rekey that ended before its key was in place is finished by the next one", async () => {
  const { directory, env, relay } = await openRelay();
  await stopRelay(relay);
  const old = readKey(directory);
  expect(await runSluice(["rekey"], { env })).toMatchObject({ code: 0 });
  const next = readKey(directory);
  // As a crash right after the commit leaves it.
  writeFileSync(join(directory, "master-key.new"), next);
  writeFileSync(join(directory, "master-key"), old);
  const finished = await runSluice(["rekey"], { env });
  expect(finished).toMatchObject({ code: 0, err: expect.stringContaining("has this new master key already") });
  expect(readKey(directory)).toBe(next);
  expect(existsSync(join(directory, "master-key.new"))).toBe(false);
});

test("a key of the environment is replaced by one of the environment, and a wrong one changes nothing", async () => {
  const { directory, env, relay, start } = await openRelay();
  await stopRelay(relay);
  const given = { DATABASE_URL: env.DATABASE_URL, MASTER_KEY: readKey(directory) };
  const noNew = await runSluice(["rekey"], { env: given });
  expect(noNew).toMatchObject({ code: 2, err: expect.stringContaining("NEW_MASTER_KEY") });
  const noKey = await runSluice(["rekey"], { env: { ...given, NEW_MASTER_KEY: "short" } });
  expect(noKey).toMatchObject({ code: 2, err: expect.stringContaining("32 bytes in base64") });
  const next = newKey();
  const wrong = await runSluice(["rekey"], { env: { ...given, MASTER_KEY: newKey(), NEW_MASTER_KEY: next } });
  expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining("not the one of this database") });
  expect(await runSluice(["rekey"], { env: { ...given, NEW_MASTER_KEY: next } })).toMatchObject({ code: 0 });
  writeFileSync(join(directory, "master-key"), next);
  const again = await start();
  await again.stop();
});

test("with a lost key, sources answer 503, targets wait, each secret is listed, and setting them anew mends it", async () => {
  const { directory, env, receiver, relay, secret, source, start, target } = await openRelay();
  await stopRelay(relay);
  const nothingLost = await runSluice(["rekey", "--lost"], { env });
  expect(nothingLost).toMatchObject({ code: 2, err: expect.stringContaining("nothing is lost") });

  writeFileSync(join(directory, "master-key"), newKey());
  const lost = await runSluice(["rekey", "--lost", "--json"], { env });
  expect(lost, lost.err).toMatchObject({ code: 0 });
  const expected = [
    { owner: "source", id: source.id, name: "own", what: "gemini_api_key", truncated: "...test" },
    { owner: "source", id: source.id, name: "own", what: "signing_secret", truncated: expect.stringContaining("...") },
    { owner: "target", id: target.id, name: "billing", what: "headers", truncated: null },
    {
      owner: "target",
      id: target.id,
      name: "billing",
      what: "signing_secret",
      truncated: expect.stringContaining("..."),
    },
    { owner: "target", id: expect.any(String), name: "chat", what: "chat_url", truncated: "http://127.0.0.1:9" },
  ];
  expect(JSON.parse(lost.out.toString())).toEqual(expected);

  const again = await start();
  onTestFinished(again.stop);
  expect((await post(again, secret)).status).toBe(503);
  const [entry] = (await again.call("GET", "/v1/audit?action=relay.master_key_lost")).data;
  expect(entry).toMatchObject({ actor: { key: null, name: "sluice rekey" }, resource: { type: "relay", id: "relay" } });
  expect(entry.after.lost_secrets).toHaveLength(expected.length);
  expect(entry.after.lost_secrets).toContainEqual({ target: target.id, name: "billing", what: "headers" });
  expect((await again.call("GET", `/v1/sources/${source.id}`)).lost_secrets).toEqual([
    "gemini_api_key",
    "signing_secret",
  ]);
  expect(await again.call("GET", `/v1/targets/${target.id}`)).toMatchObject({
    lost_secrets: ["headers", "signing_secret"],
    state: "paused",
    state_reason: expect.stringContaining("lost with the master key"),
  });
  const resume = () => again.call("POST", `/v1/targets/${target.id}:resume`);
  await expect(resume()).rejects.toThrow(/secret_lost.*its headers/s);

  await again.call("PATCH", `/v1/sources/${source.id}`, { signing_secret: secret, gemini_api_key: "AIza-another-one" });
  expect((await post(again, secret)).status).toBe(200);
  await again.call("POST", `/v1/targets/${target.id}:rotate-secret`, { previous: "revoke_immediately" });
  await expect(resume()).rejects.toThrow(/secret_lost/);
  await again.call("PATCH", `/v1/targets/${target.id}`, { headers: { authorization: "Bearer another" } });
  const { id: chatId } = await again.call("GET", "/v1/targets/by-name/chat");
  await expect(again.call("POST", `/v1/targets/${chatId}:resume`)).rejects.toThrow(/secret_lost.*the URL of its chat/s);
  await again.call("PATCH", `/v1/targets/${chatId}`, { uri: CHAT_URL });
  expect((await runSluice(["lost-secrets"], { env })).out.toString()).toBe("");
  await resume();
  const [request] = await receiver.waitFor(1);
  expect(request?.headers.authorization).toBe("Bearer another");
  expect((await again.call("GET", `/v1/sources/${source.id}`)).lost_secrets).toEqual([]);
  expect((await again.call("GET", `/v1/targets/${target.id}`)).lost_secrets).toEqual([]);
});

test("a key is given up also when the file that had it is gone", async () => {
  const { directory, env, relay, start } = await openRelay();
  await stopRelay(relay);
  const gone = { DATABASE_URL: env.DATABASE_URL, MASTER_KEY_FILE: join(directory, "gone") };
  const noNew = await runSluice(["rekey", "--lost"], { env: gone });
  expect(noNew).toMatchObject({ code: 2, err: expect.stringContaining("set NEW_MASTER_KEY too") });
  const next = newKey();
  const lost = await runSluice(["rekey", "--lost"], { env: { ...gone, NEW_MASTER_KEY: next } });
  expect(lost, lost.err).toMatchObject({ code: 0, err: expect.stringContaining("secrets are lost") });
  writeFileSync(join(directory, "master-key"), next);
  const again = await start();
  await again.stop();
});

test("a file of settings that has the lost secrets of a target enables it, and one that lacks them says which", async () => {
  const { directory, env, receiver, relay, start } = await openRelay();
  await stopRelay(relay);
  writeFileSync(join(directory, "master-key"), newKey());
  expect(await runSluice(["rekey", "--lost"], { env })).toMatchObject({ code: 0 });
  const again = await start();
  onTestFinished(again.stop);
  const apply = (fields: object) => {
    const target = { name: "billing", uri: receiver.url, subscribed_events: ["*"], state: "enabled", ...fields };
    return again.call("POST", "/v1/configuration:apply", { configuration: { targets: [target] } });
  };
  const headers = { authorization: "Bearer of-the-file" };
  const signingSecret = generateSigningSecret().text;
  await expect(apply({ headers })).rejects.toThrow(/signing_secret in a file of settings/);
  await expect(apply({ signing_secret: signingSecret })).rejects.toThrow(/its headers/);
  expect(await apply({ headers, signing_secret: signingSecret })).toMatchObject({ changes: [{ action: "update" }] });
  expect((await apply({ headers, signing_secret: signingSecret })).changes).toEqual([]);
  await again.sendEvent();
  const [request] = await receiver.waitFor(1);
  expect(request?.headers.authorization).toBe("Bearer of-the-file");
});
