// A process is killed between every two steps of a registration and of a rotation at Gemini. Afterwards the source
// verifies what Gemini sends, and at most one secret was made that nobody knows. The steps are held at Gemini's side
// or by a lock in PostgreSQL, so that the product has no hook for this.

import { randomBytes, randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";

import { expect, inject } from "vitest";

import type { CallFault } from "@sluice/gemini-simulator/api/call-faults";
import { type GeminiSimulator, startGeminiSimulator } from "@sluice/gemini-simulator/simulator";
import { DEFAULT_PROJECT } from "@sluice/gemini-simulator/state/simulated-jobs";
import { parseId } from "@sluice/shared/domain/ids";
import { withClient } from "@sluice/store/connection/database";

import { test as base, type TestDatabase } from "./support/database.ts";
import { type Member, startMember } from "./support/member.ts";
import { claimPort } from "./support/ports.ts";
import { openProcessGroup } from "./support/process-group.ts";
import { until } from "./support/wait.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const INHERITED = ["PATH", "HOME", "TMPDIR", "NODE_COMPILE_CACHE"];
const GEMINI_KEY = "AIzaSy-key-of-the-crash-tests";
const STOP_LIMIT_MS = 45_000;

// oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
type Json = any;

interface CrashStage {
  database: TestDatabase;
  simulator: GeminiSimulator;
  gateway: Member;
  worker: Member;
  publicUrl: string;
  call: (method: string, path: string, body?: object) => Promise<Json>;
}

/**
 * Where a process dies: before a request has its effect, after it and before the answer, or before the secret is
 * stored.
 */
type Moment = { route: string; effect: "none" | "applied" } | "before_store";

const test = base.extend("stage", { scope: "file" }, async ({ database }, { onCleanup }) => {
  const group = openProcessGroup();
  const simulator = await startGeminiSimulator({ retry: { firstDelayMs: 100, maxDelayMs: 500 } });
  const [ingress, api, health] = [await claimPort(), await claimPort(), await claimPort()];
  const publicUrl = `http://127.0.0.1:${ingress}`;
  const apiKey = `test-key-${randomBytes(16).toString("hex")}`;
  const env = {
    ...Object.fromEntries(INHERITED.map((name) => [name, process.env[name]])),
    DATABASE_URL: database.url,
    MASTER_KEY: randomBytes(32).toString("base64"),
    ADMIN_API_KEY: apiKey,
    HOST: "127.0.0.1",
    PORT: String(ingress),
    API_PORT: String(api),
    WORKER_PORT: String(health),
    PUBLIC_URL: publicUrl,
    GEMINI_BASE_URL: simulator.url,
    DATA_DIR: `${group.directory}/data`,
    LOG_LEVEL: "info",
  };
  const start = (name: "gateway" | "worker", port: number) => {
    const entry = `${ROOT}/apps/${name}/src/main.ts`;
    const readyUrl = `http://127.0.0.1:${port}/readyz`;
    const member = startMember(
      { name, entry, readyUrl, env, stopLimitMs: STOP_LIMIT_MS },
      `${group.directory}/${name}.log`,
    );
    group.add(member.pid, "SIGKILL");
    return member;
  };
  const gateway = start("gateway", api);
  await gateway.waitUntilReady();
  const worker = start("worker", health);
  await worker.waitUntilReady();
  const call = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
    const response = await fetch(`http://127.0.0.1:${api}${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };
  onCleanup(async () => {
    await Promise.all([gateway.stop(), worker.stop()]);
    await simulator.stop();
    group.remove();
  });
  return { database, simulator, gateway, worker, publicUrl, call } satisfies CrashStage;
});

/** A new source with a key. Gemini knows no webhook of an earlier run. */
async function makeSource({ call, simulator }: CrashStage): Promise<{ id: string; uuid: string; name: string }> {
  for (const webhook of simulator.webhooks.list()) simulator.webhooks.delete(webhook);
  const name = `crash-${randomUUID().slice(0, 8)}`;
  const { id } = await call("POST", "/v1/sources", { name, gemini_api_key: GEMINI_KEY });
  return { id, uuid: parseId("src", id, "id"), name };
}

/** Runs `work`, and kills the process that does it at the moment. */
async function killAt(stage: CrashStage, victim: Member, moment: Moment, work: () => Promise<unknown>): Promise<void> {
  const { simulator, database } = stage;
  const kill = async () => {
    const pid = victim.pid();
    victim.signal("SIGKILL");
    await until(() => victim.pid() !== pid, { what: "the end of the process" });
  };
  if (moment === "before_store") {
    await withClient(database.db, async (client) => {
      await client.query("BEGIN; LOCK TABLE source_secrets IN SHARE ROW EXCLUSIVE MODE");
      const done = work().catch(() => undefined);
      await until(
        async () => {
          const { rowCount } = await database.db.pool.query(
            `SELECT FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ~ 'source_secrets'`,
          );
          return rowCount === 1;
        },
        { what: "the secret that is about to be stored" },
      );
      await kill();
      await client.query("ROLLBACK");
      await done;
    });
    return;
  }
  const { route, effect } = moment;
  const before = simulator.requests.count({ route });
  simulator.faults.calls.add({ failure: { kind: "hang" }, route, effect } satisfies CallFault);
  const done = work().catch(() => undefined);
  await until(() => simulator.requests.count({ route }) > before, { what: `${route} at Gemini` });
  await kill();
  simulator.faults.calls.clear();
  await done;
}

/** The claim of the dead process would run out within a minute. */
const endClaim = ({ database }: CrashStage, uuid: string) =>
  database.db.pool.query("UPDATE upstreams SET claimed_until = now(), next_check_at = now() WHERE source_id = $1", [
    uuid,
  ]);

/** Sends an event from Gemini and waits until the source has verified it. */
async function expectVerified({ simulator, call }: CrashStage, id: string): Promise<void> {
  simulator.jobs.move(simulator.jobs.start({ kind: "batch" }), { state: "succeeded" });
  const delivery = simulator.deliveries.list().at(-1);
  const find = async () => (await call("GET", `/v1/events?source=${id}&webhook_id=${delivery?.webhookId}`)).data[0];
  expect(await until(find, { what: "the event" })).toMatchObject({ scheme: "v1", type: "batch.succeeded" });
}

/** How many of Gemini's secrets of a webhook no row of the source has. */
async function countUnknownSecrets(
  { simulator, database, publicUrl }: CrashStage,
  { uuid, name }: { uuid: string; name: string },
) {
  const registered = simulator.webhooks.list().filter(({ uri }) => uri === `${publicUrl}/in/${name}`);
  expect(registered).toHaveLength(1);
  const { rows } = await database.db.pool.query<{ truncated: string }>(
    "SELECT truncated FROM source_secrets WHERE source_id = $1",
    [uuid],
  );
  const known = rows.map(({ truncated }) => truncated.slice(-4));
  return (registered[0]?.secrets ?? []).filter(({ text }) => !known.includes(text.slice(-4))).length;
}

const readUpstream = ({ call }: CrashStage, id: string): Promise<Json> => call("GET", `/v1/sources/${id}/upstream`);

async function expectRecovered(stage: CrashStage, source: { id: string; uuid: string; name: string }): Promise<void> {
  const { checked_at: before } = await readUpstream(stage, source.id);
  await endClaim(stage, source.uuid);
  await until(
    async () => {
      const { under_way: underWay, checked_at: checkedAt } = await readUpstream(stage, source.id);
      return underWay === null && checkedAt !== before;
    },
    { what: "the end of what was begun" },
  );
  expect(await readUpstream(stage, source.id)).toMatchObject({ state: "enabled", drift: [], problem: null });
  await expectVerified(stage, source.id);
  expect(await countUnknownSecrets(stage, source)).toBeLessThanOrEqual(1);
}

const FIRST: Moment[] = [
  { route: "webhooks.list", effect: "none" },
  { route: "webhooks.create", effect: "none" },
  { route: "webhooks.create", effect: "applied" },
  "before_store",
  { route: "webhooks.ping", effect: "none" },
  { route: "webhooks.ping", effect: "applied" },
  { route: "webhooks.get", effect: "none" },
];
const ADOPTED: Moment[] = [
  { route: "webhooks.rotateSigningSecret", effect: "none" },
  { route: "webhooks.rotateSigningSecret", effect: "applied" },
  "before_store",
  { route: "webhooks.update", effect: "none" },
  { route: "webhooks.update", effect: "applied" },
  { route: "webhooks.ping", effect: "none" },
];
const ROTATED: Moment[] = [
  { route: "webhooks.rotateSigningSecret", effect: "none" },
  { route: "webhooks.rotateSigningSecret", effect: "applied" },
  "before_store",
  { route: "webhooks.get", effect: "none" },
];
const named = (moment: Moment) => (moment === "before_store" ? moment : `${moment.route} (${moment.effect})`);

// The queues have no part in this.
const isOtherQueue = inject("queue") === "redis";
const once = test.skipIf(isOtherQueue);

once.for(FIRST.map((moment) => [named(moment), moment] as const))(
  "a gateway that dies in a registration at %s leaves a source that verifies",
  async ([, moment], { stage }) => {
    const source = await makeSource(stage);
    const path = `/v1/sources/${source.id}/upstream:register`;
    await killAt(stage, stage.gateway, moment, () => stage.call("POST", path));
    await stage.gateway.restart();
    await expectRecovered(stage, source);
  },
);

once.for(ADOPTED.map((moment) => [named(moment), moment] as const))(
  "a gateway that dies while it takes over a webhook at %s leaves a source that verifies",
  async ([, moment], { stage }) => {
    const source = await makeSource(stage);
    const { webhooks } = stage.simulator;
    const uri = `${stage.publicUrl}/in/${source.name}`;
    const subscribedEvents = ["batch.succeeded"];
    const webhook = webhooks.create(DEFAULT_PROJECT, { name: "by hand", uri, subscribedEvents });
    webhooks.setState(webhook, "disabled");
    const byHand = webhook.secrets[0]?.text;
    const path = `/v1/sources/${source.id}/upstream:register`;
    await killAt(stage, stage.gateway, moment, () => stage.call("POST", path));
    await stage.gateway.restart();
    // The secret of the person who made the webhook was not made by the relay.
    webhook.secrets = webhook.secrets.filter(({ text }) => text !== byHand);
    await expectRecovered(stage, source);
  },
);

once.for(
  (["gateway", "worker"] as const).flatMap((victim) =>
    ROTATED.map((moment) => [victim, named(moment), moment] as const),
  ),
)("a %s that dies in a rotation at %s leaves a source that verifies", async ([victim, , moment], { stage }) => {
  const source = await makeSource(stage);
  await stage.call("POST", `/v1/sources/${source.id}/upstream:register`);
  const rotate = async () => {
    if (victim === "gateway") return stage.call("POST", `/v1/sources/${source.id}/upstream:rotate`);
    await stage.call("PATCH", `/v1/sources/${source.id}/upstream`, { rotate_every_days: 30 });
    return stage.database.db.pool.query(
      "UPDATE upstreams SET next_rotation_at = now(), next_check_at = now() WHERE source_id = $1",
      [source.uuid],
    );
  };
  await killAt(stage, stage[victim], moment, rotate);
  await stage[victim].restart();
  // Also before anybody goes on with it.
  await expectVerified(stage, source.id);
  await expectRecovered(stage, source);
  // The rotation took place: the secret from the registration has an end, and a newer one has none.
  const { signing_secrets: secrets } = await readUpstream(stage, source.id);
  expect(secrets.length).toBeGreaterThan(1);
  expect(secrets.filter((secret: Json) => secret.expire_time === null)).toHaveLength(1);
});
