// The stage is the relay that a fault hits: two gateways behind a balancer, two workers, Redis, PostgreSQL, two targets and
// a sender. All of them are processes on loopback, except the balancer and the sender, which run in this process.

import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { MasterKey } from "@sluice/shared/settings/master-key";
import { generateSigningSecret } from "@sluice/signature/secret";
import { migrate } from "@sluice/store/connection/migrate";

import { createSluiceClient, type SluiceClient } from "@sluice/client/client";
import { httpGet } from "../../scripts/relay/http-get.ts";
import type { Member } from "../support/member.ts";
import { type PgBouncer, startPgBouncer } from "../support/pgbouncer.ts";
import { claimPort } from "../support/ports.ts";
import type { ProcessGroup } from "../support/process-group.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { runSql } from "../support/sql.ts";
import { startPostgres, startRedis, type Store } from "../support/stores.ts";
import { until } from "../support/wait.ts";
import { type Backend, startBalancer } from "./balancer.ts";
import { type Clock, openClock } from "./clock.ts";
import { addCrowd, type Crowd, type CrowdOptions } from "./crowd.ts";
import { createLaunch, type Launch, writeLimitedNode } from "./launch.ts";
import type { Random } from "./random.ts";
import { addTarget, type TargetOnStage } from "./receivers.ts";
import { FILTERED, type Sender, startSender } from "./sender.ts";

export type Role = "gateway" | "worker";
export type StoreName = "redis" | "postgres";

export interface StageOptions {
  perSecond: number;
  /** The number of gateways, and of workers; 2 when not given. */
  ofEach?: number;
  /** The processes of this role reach this store through a proxy, which can cut the connections. */
  proxied?: { role: Role; store: StoreName };
  /** The processes of this role have a clock that can be set. `library` is the path of libfaketime. */
  clock?: { role: Role; library: string };
  /** The directory of a store; by default a directory of the stage. */
  storeDirectory?: Partial<Record<StoreName, string>>;
  /** Opens the Redis of the relay; by default one server. */
  openRedis?: (directory: string, group: ProcessGroup) => Promise<RedisOnStage>;
  /** Puts a PgBouncer in front of PostgreSQL, which pools whole sessions or single transactions. */
  poolMode?: "session" | "transaction";
  /** Targets that are there before the relay starts, in addition to the two of every stage. */
  crowd?: CrowdOptions;
  /** The most files and sockets that each gateway and worker may open. */
  maxOpenFiles?: number;
}

/** The Redis of the relay, which may consist of several servers. The methods of a store then act on the primary. */
export interface RedisOnStage extends Store {
  /** Lets another server take over in an orderly way; undefined when there is no other server. */
  failOver?: () => Promise<void>;
}

export interface Stage {
  directory: string;
  group: ProcessGroup;
  launch: Launch;
  gateways: readonly Member[];
  workers: readonly Member[];
  /** The /readyz of each gateway. */
  readyUrls: readonly string[];
  /** The gateway and the worker that a fault of one process hits. The seed chooses them. */
  victims: { gateway: Member; worker: Member };
  redis: RedisOnStage;
  postgres: Store;
  pooler: PgBouncer | undefined;
  /** Gets every event. */
  all: TargetOnStage;
  /** Gets the events that match {@link FILTERED}. */
  filtered: TargetOnStage;
  crowd: Crowd | undefined;
  proxy: Proxy | undefined;
  clock: Clock | undefined;
  api: SluiceClient;
  /** What another program needs to call the API. */
  access: { url: string; key: string };
  sender: Sender;
  random: Random;
  /** The number of deliveries that workers have leased, from PostgreSQL. */
  countInHand: () => Promise<number>;
  /** Adds work for the end of the stage, which is done while its processes still run. */
  atEnd: (work: () => Promise<unknown>) => void;
  /** Kills all processes. */
  stop: () => Promise<void>;
}

/** The sessions of the pooler, fewer than PostgreSQL takes. */
const POOL_SIZE = 120;
const STATUS_LIMIT_MS = 2_500;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** docker-compose.yml sets the same limits for the apps. */
const STOP_LIMIT_MS = { gateway: 20_000, worker: 45_000 };
/** A gateway may need a while to load what was made through another gateway. */
const FIRST_EVENT_LIMIT_MS = 90_000;

/** What a gateway says of itself at its /readyz, such as `ready` or `degraded`. */
export async function readStatus(readyUrl: string): Promise<string> {
  const { status, body } = await httpGet(readyUrl, STATUS_LIMIT_MS);
  return status === 0 ? "silent" : (JSON.parse(body) as { status: string }).status;
}

export async function startStage(
  directory: string,
  group: ProcessGroup,
  random: Random,
  options: StageOptions,
): Promise<Stage> {
  mkdirSync(directory, { mode: 0o711 });
  const closers: (() => Promise<unknown>)[] = [];
  const atEnd = (work: () => Promise<unknown>) => void closers.push(work);
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
    const launch = createLaunch(directory, group, atEnd);
    const { redis, postgres } = await openStores();
    await migrate(postgres.url);
    const pooler = await openPooler(postgres);

    const { proxied } = options;
    const stores = { redis, postgres: { url: pooler?.urlOf(postgres.url) ?? postgres.url } };
    const proxy = proxied && (await startProxy(stores[proxied.store].url, 0));
    if (proxy !== undefined) atEnd(proxy.cut);
    const urlFor = (role: Role, store: StoreName) =>
      proxy !== undefined && proxied?.role === role && proxied.store === store ? proxy.url : stores[store].url;
    const clock = options.clock && openClock(options.clock.library, join(directory, "clock"));
    const masterKeyBytes = randomBytes(32);
    const masterKey = new MasterKey(masterKeyBytes);
    const crowd =
      options.crowd && (await addCrowd(directory, launch, { databaseUrl: postgres.url, masterKey }, options.crowd));
    const apiKey = `chaos-${randomBytes(16).toString("hex")}`;
    const secret = generateSigningSecret().text;
    const envOf = (role: Role): NodeJS.ProcessEnv => ({
      HOST: "127.0.0.1",
      TARGET_LOOPBACK: "allow",
      MASTER_KEY: masterKeyBytes.toString("base64"),
      ADMIN_API_KEY: apiKey,
      GEMINI_SIGNING_SECRET: secret,
      DATA_DIR: directory,
      LOG_LEVEL: "info",
      DATABASE_URL: urlFor(role, "postgres"),
      // A pooler of sessions gives the relay everything that it needs.
      ...(options.poolMode === "transaction" && { DATABASE_DIRECT_URL: postgres.url }),
      REDIS_URL: urlFor(role, "redis"),
      ...(options.clock?.role === role && clock?.env),
    });
    const { gateways, workers, backends, apiUrl } = await startRelay(launch, envOf);
    // A failed call is seen, and not repeated.
    const api = createSluiceClient({ baseUrl: apiUrl, apiKey, maxTries: 1 });
    const all = await addTarget(directory, launch, api, "all", { subscribed_events: ["*"] });
    const filtered = await addTarget(directory, launch, api, "filtered", FILTERED);
    const balancer = startBalancer(backends);
    atEnd(balancer.stop);
    const sender = startSender({
      balancer,
      secret,
      perSecond: options.perSecond,
      random: random.derive("sender"),
    });
    atEnd(() => sender.finish(0));
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
      group,
      launch,
      gateways,
      workers,
      readyUrls: backends.map(({ readyUrl }) => readyUrl),
      victims: { gateway: random.pick(gateways), worker: random.pick(workers) },
      redis,
      postgres,
      pooler,
      all,
      filtered,
      crowd,
      proxy,
      clock,
      api,
      access: { url: apiUrl, key: apiKey },
      sender,
      random,
      countInHand,
      atEnd,
      stop,
    };
  }

  async function openStores(): Promise<{ redis: RedisOnStage; postgres: Store }> {
    const directoryOf = (store: StoreName) => options.storeDirectory?.[store] ?? join(directory, store);
    const openRedis = options.openRedis ?? startRedis;
    const opening = [startPostgres(directoryOf("postgres"), group), openRedis(directoryOf("redis"), group)];
    const opened = await Promise.allSettled(opening);
    for (const each of opened) if (each.status === "fulfilled") atEnd(each.value.stop);
    const [postgres, redis] = await Promise.all(opening);
    if (postgres === undefined || redis === undefined) throw new Error("A store did not start");
    return { postgres, redis };
  }

  async function openPooler({ url }: Store): Promise<PgBouncer | undefined> {
    if (options.poolMode === undefined) return undefined;
    const pooler = await startPgBouncer([url], { poolMode: options.poolMode, poolSize: POOL_SIZE });
    atEnd(pooler.stop);
    group.add(pooler.pid, "SIGKILL");
    return pooler;
  }

  /** Starts gateways and workers, and waits until all of them are ready. */
  async function startRelay(launch: Launch, envOf: (role: Role) => NodeJS.ProcessEnv) {
    const { maxOpenFiles, ofEach = 2 } = options;
    const node = maxOpenFiles === undefined ? undefined : writeLimitedNode(directory, maxOpenFiles);
    const backends: Backend[] = [];
    const members: Record<Role, Member[]> = { gateway: [], worker: [] };
    const add = (role: Role, readyPort: number, ports: NodeJS.ProcessEnv) => {
      const member = launch({
        name: `${role}-${members[role].length + 1}`,
        entry: join(ROOT, "apps", role, "src", "main.ts"),
        node,
        readyUrl: `http://127.0.0.1:${readyPort}/readyz`,
        env: { ...envOf(role), ...ports },
        stopLimitMs: STOP_LIMIT_MS[role],
      });
      members[role].push(member);
    };
    for (let number = 1; number <= ofEach; number++) {
      const [port, apiPort, workerPort] = [await claimPort(), await claimPort(), await claimPort()];
      add("gateway", apiPort, { PORT: String(port), API_PORT: String(apiPort) });
      add("worker", workerPort, { WORKER_PORT: String(workerPort) });
      const readyUrl = `http://127.0.0.1:${apiPort}/readyz`;
      backends.push({ ingressUrl: `http://127.0.0.1:${port}`, readyUrl });
    }
    const { gateway: gateways, worker: workers } = members;
    await Promise.all([...gateways, ...workers].map((member) => member.waitUntilReady()));
    const apiUrl = new URL(backends[0]?.readyUrl ?? "").origin;
    return { gateways, workers, backends, apiUrl };
  }
}
