// A run of many jobs of all kinds at a simulated Gemini that loses, delays and doubles webhooks, against a relay whose worker is
// killed again and again. What the targets got is compared with what became of each job.

import { randomBytes } from "node:crypto";

import { SimulatorClock } from "@sluice/gemini-simulator/clock";
import { type GeminiSimulator, startGeminiSimulator } from "@sluice/gemini-simulator/simulator";

import { createRandom, type Random } from "../chaos/random.ts";
import type { TestDatabase } from "./database.ts";
import { openGeminiClient } from "./gemini-simulator.ts";
import { compareWithTargets, type GeminiRunResult, type PlannedJob } from "./gemini-account.ts";
import { KilledWorker } from "./killed-worker.ts";
import { openProcessGroup } from "./process-group.ts";
import { startReceiver } from "./receiver.ts";
import { type Relay, startRelay } from "./relay.ts";
import { until } from "./wait.ts";

export interface GeminiRunOptions {
  jobs: number;
  seed: number;
  /** How often the worker is killed with SIGKILL. */
  kills: number;
  log?: ((text: string) => void) | undefined;
}

const KINDS = ["batch", "interaction", "video"] as const;
type Kind = (typeof KINDS)[number];

/** The ends of each kind; the first is the common one. */
const ENDS: Record<Kind, readonly string[]> = {
  batch: ["succeeded", "failed", "expired", "cancelled", "partially_succeeded"],
  interaction: ["completed", "failed", "cancelled", "incomplete", "budget_exceeded"],
  video: ["generated", "failed"],
};
const SUBSCRIBED = [
  "batch.succeeded",
  "batch.failed",
  "batch.expired",
  "interaction.requires_action",
  "interaction.completed",
  "interaction.failed",
  "video.generated",
] as const;
const API_KEY = "AIzaSySimulatedSimulatedSimulatedSimula";
const SHARE = 0.1;
const LATE_MS = 1_800_000;
const AT_ONCE = 8;
/** The limit for the largest run on a busy machine. */
const LIMIT_MS = 3_000_000;

export async function runGeminiJobs(
  database: TestDatabase,
  redisUrl: string | undefined,
  { jobs: count, seed, kills, log = () => undefined }: GeminiRunOptions,
): Promise<GeminiRunResult> {
  const random = createRandom(seed);
  const simulator = await startGeminiSimulator({ seed, clock: new SimulatorClock() });
  const settings = {
    MASTER_KEY: randomBytes(32).toString("base64"),
    GEMINI_BASE_URL: simulator.url,
    GEMINI_REQUESTS_PER_HOUR: "1000000",
  };
  const relay = await startRelay(database, redisUrl, { settings, withoutWorker: true });
  const group = openProcessGroup();
  const worker = new KilledWorker(
    {
      ...settings,
      DATABASE_URL: database.url,
      ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
      WORKER_PORT: "0",
      TARGET_LOOPBACK: "allow",
      LOG_LEVEL: "silent",
    },
    (pid) => group.add(pid, "SIGKILL"),
  );
  const receivers = await Promise.all([startReceiver(), startReceiver()]);
  try {
    const planned: PlannedJob[] = [];
    worker.start();
    const { dynamicId, webhookId } = await connect(relay, simulator, database, worker);
    for (const receiver of receivers) {
      await relay.createTarget(receiver, {
        subscribed_events: ["*", "sluice.job.*"],
        retry: { base_seconds: 1, cap_seconds: 5 },
      });
    }
    const webhook = simulator.webhooks.find(webhookId);
    if (webhook === undefined) throw new Error("The webhook was deleted");

    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    const killAt = new Set(
      Array.from({ length: kills }, (_, kill) => Math.floor(((kill + 1) * count * 1.3) / (kills + 1))),
    );
    const play = async (number: number) => {
      if (killAt.has(number)) await worker.killAndStart();
      // Disabled for a tenth of the time in the middle, and rotated while it is.
      if (number === Math.floor(count * 0.45))
        simulator.webhooks.setState(webhook, "disabled_due_to_failed_deliveries");
      if (number === Math.floor(count * 0.5)) await rotate(relay, simulator, webhookId);
      if (number === Math.floor(count * 0.55)) simulator.webhooks.setState(webhook, "enabled");
      planned.push(await playJob(relay, simulator, dynamicId, random.derive(`job ${number}`)));
    };
    const next = numbers.values();
    const playAll = async () => {
      for (const number of next) await play(number);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, playAll));
    log(`${count} jobs were played`);
    // The rest of the deaths come while the relay reconciles.
    for (const at of [...killAt].filter((number) => number > count)) {
      await until(async () => (await countOpen(database)) < count * 0.35 - (at - count) * 0.1, { timeoutMs: LIMIT_MS });
      await worker.killAndStart();
    }
    const running = planned.filter(({ end }) => end === undefined).length;
    await until(() => countOpen(database), {
      accept: (open) => open === running,
      timeoutMs: LIMIT_MS,
      what: `${running} jobs that run, and no other that is open`,
    });
    log("every end is concluded; the late webhooks come");
    await simulator.clock.advance(2 * LATE_MS);
    await until(
      async () => {
        await simulator.clock.advance(60_000);
        return simulator.deliveries.countUnfinished();
      },
      { accept: (unfinished) => unfinished === 0, timeoutMs: LIMIT_MS },
    );
    await drain(relay, database);
    const result = await compareWithTargets(planned, receivers, { simulator, database, apiKey: API_KEY });
    return { ...result, account: { ...result.account, worker_deaths: worker.deaths } };
  } finally {
    await worker.end();
    group.remove();
    await relay.stop();
    await Promise.all(receivers.map((receiver) => receiver.stop()));
    await simulator.stop();
  }
}

/** Registers the relay at Gemini, and gives its two sources the key. */
async function connect(relay: Relay, simulator: GeminiSimulator, { db }: TestDatabase, worker: KilledWorker) {
  const sources: { id: string; name: string }[] = (await relay.call("GET", "/v1/sources")).data;
  const idOf = (name: string) => sources.find((source) => source.name === name)?.id ?? "";
  const [staticId, dynamicId] = [idOf("gemini"), idOf("gemini-dynamic")];
  const client = openGeminiClient(simulator.url, API_KEY);
  const webhook = await client.webhooks.create({
    uri: `${relay.ingressUrl}/in/gemini`,
    subscribed_events: [...SUBSCRIBED],
  });
  await relay.call("PATCH", `/v1/sources/${staticId}`, {
    signing_secret: webhook.new_signing_secret,
    gemini_api_key: API_KEY,
    reconcile: { enabled: true, every_seconds: 10, grace_seconds: 10 },
  });
  await relay.call("PATCH", `/v1/sources/${dynamicId}`, {
    gemini_api_key: API_KEY,
    jwks_uri: `${simulator.url}/.well-known/jwks.json`,
  });
  // A worker that starts now enters the ends from its beginning, so that nobody has to wait until it rests.
  await until(async () => (await db.pool.query("SELECT FROM job_sources")).rowCount, { accept: (rows) => rows === 2 });
  await worker.killAndStart();
  worker.deaths = 0;
  await db.pool.query("UPDATE job_sources SET since = now() - interval '1 hour'");
  return { dynamicId, webhookId: webhook.id ?? "" };
}

async function rotate(relay: Relay, simulator: GeminiSimulator, webhookId: string): Promise<void> {
  const { secret } = await openGeminiClient(simulator.url, API_KEY).webhooks.rotateSigningSecret(webhookId);
  const sources: { id: string; name: string }[] = (await relay.call("GET", "/v1/sources")).data;
  const id = sources.find(({ name }) => name === "gemini")?.id;
  await relay.call("POST", `/v1/sources/${id}/signing-secrets`, { secret, previous: "revoke_after_24h" });
}

/** Starts a job, announces it, and lets it end, or not. */
async function playJob(
  relay: Relay,
  { jobs }: GeminiSimulator,
  dynamicId: string,
  random: Random,
): Promise<PlannedJob> {
  const kind = random.pick(KINDS);
  const isDynamic = random.next() < 0.3 && kind !== "batch";
  const expectWithin = random.integer(15, 30);
  const [asksDraw, endDraw, stateDraw, faultDraw] = [random.next(), random.next(), random.next(), random.next()];
  let job: PlannedJob["job"];
  if (isDynamic) {
    const body = { labels: {}, job: { kind, expect_within_seconds: expectWithin } };
    const callback = await relay.call("POST", `/v1/sources/${dynamicId}/callback-urls`, body);
    const uri = relay.ingressUrl + callback.ingress_path;
    job = jobs.start({ kind, model: "veo", webhooks: { uris: [uri] } });
    await relay.call("PATCH", `/v1/jobs/${callback.job}`, { name: job.name });
  } else {
    job = jobs.start({ kind, model: "veo", expires: false });
    if (kind !== "batch")
      await relay.call("POST", "/v1/jobs", {
        kind,
        name: job.name,
        source: "gemini",
        expect_within_seconds: expectWithin,
      });
  }
  if (kind === "interaction" && asksDraw < SHARE) jobs.move(job, { state: "requires_action" });
  // One of thirty does not end.
  if (endDraw < 1 / 30) return { job, end: undefined };
  const [common = "", ...others] = ENDS[kind];
  const end = stateDraw < 0.7 ? common : random.pick(others);
  jobs.move(job, { state: end, fault: drawFault(faultDraw) });
  return { job, end };
}

/** A tenth of the webhooks is lost, a tenth comes long after its time, and a tenth comes twice. */
function drawFault(draw: number) {
  if (draw < SHARE) return { kind: "never" } as const;
  if (draw < 2 * SHARE) return { kind: "late", delayMs: LATE_MS } as const;
  return draw < 3 * SHARE ? ({ kind: "duplicate" } as const) : undefined;
}

async function countOpen({ db }: TestDatabase): Promise<number> {
  const { rows } = await db.pool.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM jobs WHERE status IN ('waiting', 'overdue')",
  );
  return rows[0]?.count ?? 0;
}

/** Waits until what was acknowledged is stored, and every delivery is made. */
async function drain(relay: Relay, { db }: TestDatabase): Promise<void> {
  await until(
    async () => {
      // In this order: what is stored makes deliveries.
      const queues: Record<string, number | null> = (await relay.call("GET", "/v1/system")).queue.waiting_batches;
      const { rows } = await db.pool.query<{ pending: number }>(
        "SELECT count(*)::int AS pending FROM deliveries WHERE status = 'pending'",
      );
      return { queues, pending: rows[0]?.pending };
    },
    {
      accept: ({ queues, pending }) => pending === 0 && Object.values(queues).every((waiting) => waiting === 0),
      timeoutMs: LIMIT_MS,
      what: "an empty queue, and no delivery that is pending",
    },
  );
}
