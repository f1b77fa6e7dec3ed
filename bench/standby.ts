// Measures how many acknowledged events are gone when PostgreSQL's primary dies and its standby takes over, and what
// the standby costs an acknowledgement. `node bench/standby.ts` prints the table of bench/README.md.

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { migrate } from "@sluice/store/connection/migrate";
import { Pool } from "undici";

import { type Bundles, bundleApps } from "../scripts/relay/bundled-apps.ts";
import { startMember } from "../tests/support/member.ts";
import { claimPort } from "../tests/support/ports.ts";
import { geminiEvent, signWebhook } from "../tests/support/sign.ts";
import { runSql } from "../tests/support/sql.ts";
import { startRedis } from "../tests/support/stores.ts";
import { processGroup } from "./children.ts";
import { findInstallation, type Installation, waitForStandby } from "./debian-postgres.ts";
import { openLink } from "./link.ts";
import { describeMachine, format, median, percentile, toMarkdown } from "./machine.ts";
import { SECRET } from "./messages.ts";

const RUNS = Number(process.env["RUNS"] ?? 5);
const EVENTS_PER_SECOND = Number(process.env["RATE"] ?? 300);
/** The start of a run is not counted: everything is warming up. */
const WARM_UP_MS = 2_000;
const MEASURED_MS = 4_000;
/** A killed worker's jobs are taken up by another after 15 s. What is not stored much later is gone. */
const SILENCE_MS = 40_000;
const STOP_LIMIT_MS = 10_000;

interface Case {
  standby: "none" | "asynchronous" | "synchronous";
  /** What the primary sends arrives so much later. What is on its way is lost with the primary. */
  lagMs: number;
  queue: "postgres" | "redis";
}

const CASES: Case[] = [
  { standby: "none", lagMs: 0, queue: "postgres" },
  { standby: "none", lagMs: 0, queue: "redis" },
  { standby: "asynchronous", lagMs: 0, queue: "postgres" },
  { standby: "asynchronous", lagMs: 0, queue: "redis" },
  { standby: "asynchronous", lagMs: 200, queue: "postgres" },
  { standby: "asynchronous", lagMs: 200, queue: "redis" },
  { standby: "synchronous", lagMs: 0, queue: "postgres" },
  { standby: "synchronous", lagMs: 2, queue: "postgres" },
  { standby: "synchronous", lagMs: 20, queue: "postgres" },
  { standby: "synchronous", lagMs: 20, queue: "redis" },
];

interface Outcome {
  acknowledged: number;
  gone: number;
  /** Milliseconds from the request to its 2xx, before the primary died; ascending. */
  latenciesMs: number[];
}

const processes = processGroup();
let runs = 0;

/** A relay on one address, behind which PostgreSQL can be replaced. */
async function startApps(bundles: Bundles, directory: string, databaseUrl: string, redisUrl: string | undefined) {
  const [port, apiPort, workerPort] = [await claimPort(), await claimPort(), await claimPort()];
  const inherited = Object.fromEntries(["PATH", "HOME", "TMPDIR"].map((name) => [name, process.env[name]]));
  const env = {
    ...inherited,
    HOST: "127.0.0.1",
    TARGET_LOOPBACK: "allow",
    PORT: String(port),
    API_PORT: String(apiPort),
    WORKER_PORT: String(workerPort),
    DATABASE_URL: databaseUrl,
    ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
    MASTER_KEY: randomBytes(32).toString("base64"),
    ADMIN_API_KEY: randomBytes(16).toString("hex"),
    GEMINI_SIGNING_SECRET: SECRET,
    DATA_DIR: directory,
    LOG_LEVEL: "warn",
  };
  const members = (["gateway", "worker"] as const).map((name) => {
    const readyUrl = `http://127.0.0.1:${name === "gateway" ? apiPort : workerPort}/readyz`;
    const app = { name, entry: bundles[name], readyUrl, env, stopLimitMs: STOP_LIMIT_MS };
    const member = startMember(app, join(directory, `${name}.log`));
    processes.add(member.pid, "SIGKILL");
    return member;
  });
  for (const member of members) await member.waitUntilReady();
  const stop = async () => {
    for (const member of members) if (member.pid() !== undefined) member.signal("SIGKILL");
    await Promise.all(members.map((member) => member.stop()));
  };
  return { ingressUrl: `http://127.0.0.1:${port}`, stop };
}

/** Sends events at a steady rate, each once, whatever the answers are. */
function startSending(ingressUrl: string) {
  const pool = new Pool(ingressUrl, { connections: 256 });
  const acknowledged = new Map<string, { atMs: number; tookMs: number }>();
  const underWay = new Set<Promise<void>>();
  const post = async () => {
    const { headers, body, webhookId } = signWebhook({ secret: SECRET, body: geminiEvent() });
    const startedAt = performance.now();
    const answer = await pool.request({ path: "/in/gemini", method: "POST", headers, body });
    await answer.body.dump();
    const atMs = performance.now();
    if (answer.statusCode === 200) acknowledged.set(webhookId, { atMs, tookMs: atMs - startedAt });
  };
  const startedAt = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (; sent < ((performance.now() - startedAt) * EVENTS_PER_SECOND) / 1000; sent++) {
      const posted: Promise<void> = post()
        // An event without an answer is not acknowledged.
        .catch(() => undefined)
        .finally(() => underWay.delete(posted));
      underWay.add(posted);
    }
  }, 2);
  const stop = async () => {
    clearInterval(timer);
    await Promise.all(underWay);
    await pool.close();
  };
  return { acknowledged, stop };
}

/** @returns how many of these events PostgreSQL does not have, when it gets no more of them. */
async function countGone(url: string, webhookIds: string[]): Promise<number> {
  let gone = Number.POSITIVE_INFINITY;
  let changedAt = performance.now();
  while (gone > 0 && performance.now() - changedAt < SILENCE_MS) {
    const [row] = await runSql(
      url,
      "SELECT count(*)::int AS n FROM unnest($1::text[]) id WHERE id NOT IN (SELECT webhook_id FROM event_keys)",
      [webhookIds],
    );
    const now = Number(row?.["n"]);
    if (now !== gone) changedAt = performance.now();
    gone = now;
    await delay(250);
  }
  return gone;
}

async function runOnce(
  installation: Installation,
  bundles: Bundles,
  { standby, lagMs, queue }: Case,
): Promise<Outcome> {
  const directory = join(processes.directory, `run-${++runs}`);
  const primary = await installation.startPrimary(directory);
  await migrate(primary.url);
  const redis = queue === "redis" ? await startRedis(join(directory, "redis"), processes) : undefined;
  // A link costs time in this process, so a standby without a lag connects directly.
  const link = lagMs > 0 ? await openLink(primary.server.port, lagMs) : undefined;
  const follower =
    standby === "none"
      ? undefined
      : await installation.startStandby(`${directory}-standby`, primary, link?.port ?? primary.server.port);
  if (standby === "synchronous") await waitForStandby(primary);
  const address = await openLink(primary.server.port, 0);
  const url = new URL(primary.url);
  url.port = String(address.port);
  const apps = await startApps(bundles, directory, url.href, redis?.url);

  const { acknowledged, stop } = startSending(apps.ingressUrl);
  await delay(WARM_UP_MS);
  const measuredFrom = performance.now();
  // Not always at the same moment of a checkpoint or of a batch.
  await delay(MEASURED_MS + Math.random() * 500);
  const diedAt = performance.now();
  if (follower !== undefined) {
    primary.kill();
    link?.cut();
    await runSql(follower.url, "SELECT pg_promote()");
    address.moveTo(follower.server.port);
    await delay(MEASURED_MS);
  }
  await stop();
  const gone = await countGone((follower ?? primary).url, [...acknowledged.keys()]);

  await apps.stop();
  address.cut();
  for (const each of [primary.server, follower?.server, redis]) await each?.stop();
  const counted = [...acknowledged.values()].filter(({ atMs }) => atMs > measuredFrom && atMs < diedAt);
  const latenciesMs = counted.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
  return { acknowledged: acknowledged.size, gone, latenciesMs };
}

function describeStandby({ standby, lagMs }: Case): string {
  if (standby === "none") return "none";
  return lagMs === 0 ? standby : `${standby}, lag of ${lagMs} ms`;
}

try {
  const installation = await findInstallation(processes);
  const bundles = await bundleApps();
  const outcomes = CASES.map((each) => ({ each, all: [] as Outcome[] }));
  // In turns, so that a busy minute of the machine does not fall on one case.
  for (let run = 1; run <= RUNS; run++) {
    for (const { each, all } of outcomes) {
      const outcome = await runOnce(installation, bundles, each);
      all.push(outcome);
      const { acknowledged, gone, latenciesMs } = outcome;
      const p50 = format(percentile(latenciesMs, 0.5), 1);
      console.error(`${run}: ${describeStandby(each)}, ${each.queue}: ${gone} of ${acknowledged} gone, p50 ${p50} ms`);
    }
  }
  const cells = outcomes.map(({ each, all }) => {
    const latencies = (fraction: number) => median(all.map(({ latenciesMs }) => percentile(latenciesMs, fraction)));
    return [
      describeStandby(each),
      each.queue === "redis" ? "Redis" : "PostgreSQL",
      format(all.reduce((sum, { acknowledged }) => sum + acknowledged, 0)),
      each.standby === "none" ? "" : all.map(({ gone }) => gone).join(", "),
      format(latencies(0.5), 1),
      format(latencies(0.99), 1),
    ];
  });
  console.log(`${describeMachine()}, ${installation.version}; ${EVENTS_PER_SECOND} events/s, ${RUNS} runs\n`);
  console.log(toMarkdown(["standby", "acknowledged by", "events", "gone, each run", "p50 ms", "p99 ms"], cells));
} finally {
  processes.remove();
}
