// The stage is the relay that a fault hits: two gateways behind a balancer, two workers, Redis, PostgreSQL, two targets and
// a sender. All of them are processes on loopback, except the balancer and the sender, which run in this process.

import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { generateSigningSecret } from "@sluice/signature/secret";
import { migrate } from "@sluice/store/connection/migrate";

import { connectRelay, type RelayConnection } from "../../scripts/relay/connection.ts";
import { type Member, startMember } from "../support/member.ts";
import { claimPort } from "../support/ports.ts";
import type { ProcessGroup } from "../support/process-group.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { runSql } from "../support/sql.ts";
import { startPostgres, startRedis, type Store } from "../support/stores.ts";
import { until } from "../support/wait.ts";
import { startBalancer } from "./balancer.ts";
import { type Clock, openClock } from "./clock.ts";
import type { Random } from "./random.ts";
import { type Mode, TAKEN_PATH } from "./receiver.ts";
import { FILTERED, type Sender, startSender } from "./sender.ts";

export type Role = "gateway" | "worker";
export type StoreName = "redis" | "postgres";

export interface StageOptions {
  perSecond: number;
  /** The processes of this role reach this store through a proxy, which can cut the connections. */
  proxied?: { role: Role; store: StoreName };
  /** The processes of this role have a clock that can be set. `library` is the path of libfaketime. */
  clock?: { role: Role; library: string };
  /** The directory of Redis; by default a directory of the stage. */
  redisDirectory?: string;
}

export interface TargetOnStage extends Member {
  /** `tgt_…` */
  id: string;
  logPath: string;
  setMode: (mode: Mode) => Promise<void>;
}

export interface Stage {
  directory: string;
  gateways: readonly Member[];
  workers: readonly Member[];
  /** The gateway and the worker that a fault of one process hits. The seed chooses them. */
  victims: { gateway: Member; worker: Member };
  redis: Store;
  postgres: Store;
  /** Gets every event. */
  all: TargetOnStage;
  /** Gets the events that match {@link FILTERED}. */
  filtered: TargetOnStage;
  proxy: Proxy | undefined;
  clock: Clock | undefined;
  api: RelayConnection;
  sender: Sender;
  random: Random;
  /** The number of deliveries that workers have leased, from PostgreSQL. */
  countInHand: () => Promise<number>;
  /** Kills all processes. */
  stop: () => Promise<void>;
}

/** The only variables that the processes inherit. A DATABASE_URL_FILE of the terminal must not reach them. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "NODE_COMPILE_CACHE"];
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** docker-compose.yml sets the same limits for the apps. */
const STOP_LIMIT_MS = { gateway: 20_000, worker: 45_000, receiver: 2_000 };
/** A gateway may need a while to load what was made through another gateway. */
const FIRST_EVENT_LIMIT_MS = 90_000;

export async function startStage(
  directory: string,
  group: ProcessGroup,
  random: Random,
  options: StageOptions,
): Promise<Stage> {
  mkdirSync(directory, { mode: 0o711 });
  const closers: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const close of closers.toReversed()) await close().catch(() => undefined);
  };
  try {
    return await build();
  } catch (error) {
    await stop();
    throw error;
  }

  async function build(): Promise<Stage> {
    const opened = await Promise.allSettled([
      startPostgres(join(directory, "postgres"), group),
      startRedis(options.redisDirectory ?? join(directory, "redis"), group),
    ]);
    for (const each of opened) if (each.status === "fulfilled") closers.push(each.value.stop);
    const [postgres, redis] = opened.map((each) => {
      if (each.status === "rejected") throw each.reason;
      return each.value;
    });
    if (postgres === undefined || redis === undefined) throw new Error("A store did not start");
    await migrate(postgres.url);

    const { proxied } = options;
    const stores = { redis, postgres };
    const proxy = proxied && (await startProxy(stores[proxied.store].url, 0));
    if (proxy !== undefined) closers.push(proxy.cut);
    const urlFor = (role: Role, store: StoreName) =>
      proxy !== undefined && proxied?.role === role && proxied.store === store ? proxy.url : stores[store].url;
    const clock = options.clock && openClock(options.clock.library, join(directory, "clock"));
    const apiKey = `chaos-${randomBytes(16).toString("hex")}`;
    const secret = generateSigningSecret().text;
    const shared = {
      ...inherited(),
      HOST: "127.0.0.1",
      MASTER_KEY: randomBytes(32).toString("base64"),
      ADMIN_API_KEY: apiKey,
      GEMINI_SIGNING_SECRET: secret,
      DATA_DIR: directory,
      LOG_LEVEL: "info",
    };
    const launch = (role: Role, number: number, readyUrl: string, ports: NodeJS.ProcessEnv) => {
      const env = {
        ...shared,
        ...ports,
        ...(options.clock?.role === role && clock?.env),
        DATABASE_URL: urlFor(role, "postgres"),
        REDIS_URL: urlFor(role, "redis"),
      };
      const entry = join(ROOT, "apps", role, "src", "main.ts");
      const name = `${role}-${number}`;
      return keep(startMember({ name, entry, readyUrl, env, stopLimitMs: STOP_LIMIT_MS[role] }, logOf(name)));
    };
    const addresses = await Promise.all(
      [1, 2].map(async () => ({ port: await claimPort(), apiPort: await claimPort(), workerPort: await claimPort() })),
    );
    const gateways = addresses.map(({ port, apiPort }, index) =>
      launch("gateway", index + 1, `http://127.0.0.1:${apiPort}/readyz`, {
        PORT: String(port),
        API_PORT: String(apiPort),
      }),
    );
    const workers = addresses.map(({ workerPort }, index) =>
      launch("worker", index + 1, `http://127.0.0.1:${workerPort}/readyz`, { WORKER_PORT: String(workerPort) }),
    );
    const backends = addresses.map(({ port, apiPort }) => ({
      ingressUrl: `http://127.0.0.1:${port}`,
      readyUrl: `http://127.0.0.1:${apiPort}/readyz`,
    }));
    await Promise.all([...gateways, ...workers].map((member) => member.waitUntilReady()));
    const [{ apiPort } = { apiPort: 0 }] = addresses;
    const api = connectRelay({ ingressUrl: "", apiUrl: `http://127.0.0.1:${apiPort}`, apiKey, apiKeyHint: "" }, 2);
    closers.push(api.close);
    const all = await addTarget("all", { subscribed_events: ["*"] }, api);
    const filtered = await addTarget("filtered", FILTERED, api);
    const balancer = startBalancer(backends);
    closers.push(balancer.stop);
    const sender = startSender({
      balancer,
      secret,
      perSecond: options.perSecond,
      random: random.derive("sender"),
    });
    closers.push(() => sender.finish(0));
    await until(() => sender.events.some(({ acceptedAtMs }) => acceptedAtMs !== undefined), {
      timeoutMs: FIRST_EVENT_LIMIT_MS,
      what: "a first event to be accepted",
    });
    const countInHand = async () => {
      const [row] = await runSql(postgres.url, "SELECT count(*)::int AS n FROM deliveries WHERE leased_by IS NOT NULL");
      return Number(row?.["n"]);
    };
    return {
      directory,
      gateways,
      workers,
      victims: { gateway: random.pick(gateways), worker: random.pick(workers) },
      redis,
      postgres,
      all,
      filtered,
      proxy,
      clock,
      api,
      sender,
      random,
      countInHand,
      stop,
    };
  }

  function logOf(name: string): string {
    return join(directory, `${name}.log`);
  }

  function keep(member: Member): Member {
    group.add(member.pid, "SIGKILL");
    // A kill ends a hung process, too. Nobody needs the work in progress any more.
    closers.push(async () => {
      const stopped = member.stop();
      if (member.pid() !== undefined) member.signal("SIGKILL");
      await stopped;
    });
    return member;
  }

  async function addTarget(name: string, subscription: object, api: RelayConnection): Promise<TargetOnStage> {
    const port = await claimPort();
    const url = `http://127.0.0.1:${port}`;
    const settings = {
      name,
      uri: url + TAKEN_PATH,
      ...subscription,
      timeout_seconds: 3,
      max_in_flight: 32,
      retry: { base_seconds: 0.2, cap_seconds: 2, horizon_seconds: 86_400 },
    };
    const target = await api.api<{ id: string; new_signing_secret: string }>("POST", "/v1/targets", settings);
    const logPath = join(directory, `received-${name}.jsonl`);
    const env = { ...inherited(), PORT: String(port), SECRET: target.new_signing_secret, LOG: logPath };
    const entry = fileURLToPath(new URL("receiver-main.ts", import.meta.url));
    const app = {
      name: `receiver-${name}`,
      entry,
      readyUrl: `${url}/readyz`,
      env,
      stopLimitMs: STOP_LIMIT_MS.receiver,
    };
    const member = keep(startMember(app, logOf(`receiver-${name}`)));
    await member.waitUntilReady();
    const setMode = async (mode: Mode) => {
      const response = await fetch(`${url}/mode`, { method: "PUT", body: mode, headers: { connection: "close" } });
      await response.body?.cancel();
    };
    return { ...member, id: target.id, logPath, setMode };
  }
}

function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(INHERITED.map((name) => [name, process.env[name]]));
}
