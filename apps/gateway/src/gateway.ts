// The gateway: the ingress on a public port and the API on a private port, over PostgreSQL and the queue. This file puts
// the parts together, and starts and stops them in the right order.

import { Hono } from "hono";

import { storeChecks } from "@sluice/queue/checks";
import { BUILD } from "@sluice/shared/runtime/build";
import { Readiness } from "@sluice/shared/runtime/health";
import { closeServer, listen } from "@sluice/shared/runtime/http-server";
import type { Logger } from "@sluice/shared/runtime/log";
import { RecentLog } from "@sluice/shared/runtime/recent-log";
import { within } from "@sluice/shared/runtime/within";
import { describeSettings } from "@sluice/shared/settings/describe-settings";
import { RelayFiguresReader } from "@sluice/store/delivery/relay-figures";
import { readRetentionState } from "@sluice/store/delivery/retention-state";
import { startProblemReports } from "@sluice/store/operational/problem-reports";
import { countOpenJobs } from "@sluice/store/upstream/jobs";
import { readUpstreamFigures } from "@sluice/store/upstream/upstream-figures";
import { openTracing } from "@sluice/tracing/tracing";

import { createApi } from "./api/api.ts";
import { createFileApi } from "./api/configuration/file-api.ts";
import { TAIL_LIMITS, Tails } from "./api/log/tails.ts";
import { PULL_WAIT_LIMITS, PullWaits } from "./api/pull/pull-waits.ts";
import { assembleApiDependencies, createGuards, openSystemReaders, poolsOf } from "./assemble-api.ts";
import { ConfigFile } from "./config-file.ts";
import { gatewayConfig, type GatewayConfig } from "./gateway-config.ts";
import { type GatewayStores, openStores } from "./gateway-stores.ts";
import { clientAddressFinder } from "./http/client-address.ts";
import { createHealth } from "./http/health-routes.ts";
import { type OpenServer, openServer } from "./http/server.ts";
import { type AssembledIngress, assembleIngress } from "./ingress/assemble-ingress.ts";
import type { KnownSources } from "./ingress/known-sources.ts";
import { Metrics } from "./metrics.ts";

/** The time that running requests have to end when the gateway stops. */
const STOP_LIMIT_MS = 10_000;
/** The time that the stores have to close after that: a store that hangs does not confirm that it closes. */
const CLOSE_LIMIT_MS = 5_000;
/**
 * The time that the ingress waits for PostgreSQL at the start. If both were restarted together, a gateway that does not
 * wait would use the old sources of its snapshot.
 */
const START_LIMIT_MS = 3_000;

export interface Gateway {
  ingressUrl: string;
  apiUrl: string;
  /**
   * Resolves when the gateway has loaded its sources from PostgreSQL. While PostgreSQL is away this can take hours, with
   * both ports open. Rejects when the gateway must not go on.
   */
  started: Promise<void>;
  stop: () => Promise<void>;
  /** Applies CONFIG_FILE again; undefined without one. */
  reload?: () => Promise<void>;
}

export interface GatewayOptions {
  /** A gateway that is told to stop first says so on /readyz. It goes on taking events until this resolves. */
  stopNotice?: () => Promise<void>;
  /** The environment of the process, which the placeholders of CONFIG_FILE name and /v1/system/settings describes. */
  env?: NodeJS.ProcessEnv;
  /** The bundle of the command `sluice`, for /cli/sluice.mjs. */
  cliFile?: string;
  /** The built console, for /console. */
  consoleDirectory?: string;
  /** What the log keeps for /v1/system/log. */
  recentLog?: RecentLog;
}

export async function startGateway(
  config: GatewayConfig,
  log: Logger,
  {
    stopNotice = () => Promise.resolve(),
    env = {},
    cliFile,
    consoleDirectory,
    recentLog = new RecentLog(),
  }: GatewayOptions = {},
): Promise<Gateway> {
  const file = config.CONFIG_FILE === undefined ? undefined : new ConfigFile(config.CONFIG_FILE, env);
  // Before anything is opened: a file that cannot be read, or that names a secret that is not there, is found at once.
  file?.read();
  const tracing = await openTracing(config, "sluice-gateway", log);
  const stores = await openStores(config, log);
  const metrics = new Metrics(stores.producer);
  metrics.watchRetention(() => readRetentionState(stores.apiDb));
  const figures = new RelayFiguresReader(stores.apiDb);
  metrics.watchRelay({
    readFigures: () => figures.read(),
    readBacklog: () => stores.producer.depth("intake"),
  });
  metrics.watchPools(poolsOf(stores));
  metrics.watchUpstreams(() => readUpstreamFigures(stores.apiDb, stores.masterKey, config.GEMINI_API_KEY));
  metrics.watchJobs(() => countOpenJobs(stores.apiDb));
  const findClientAddress = clientAddressFinder(config.TRUSTED_PROXIES);
  const guards = createGuards(config);
  const ingress = assembleIngress(
    config,
    { ...stores, metrics, findClientAddress, keySetGuard: guards.keySets, tracing },
    log,
  );
  const publicPort = openServer(ingress.app.fetch, log, {
    answersContinue: true,
    limits: {
      keepAliveTimeout: config.KEEP_ALIVE_SECONDS * 1_000,
      maxPerNetwork: config.MAX_CONNECTIONS_PER_ADDRESS ?? Number.POSITIVE_INFINITY,
    },
  });

  const tails = new Tails({ db: stores.apiDb, log, limits: TAIL_LIMITS });
  metrics.watchTails(() => tails.count);
  const pullWaits = new PullWaits({ db: stores.pullDb, log, limits: PULL_WAIT_LIMITS });
  metrics.pulls.watchWaits(() => pullWaits.count);
  const readiness = createReadiness(stores, ingress.sources, publicPort);
  const reports = startProblemReports({
    db: stores.apiDb,
    app: "gateway",
    findProblems: () => readiness.findProblems(),
    log,
  });
  const parts = { stores, ingress, tails, pullWaits, metrics, findClientAddress, guards, tracing };
  const system = openSystemReaders(config, { stores, readiness, figures });
  const settings = describeSettings(gatewayConfig, env);
  const dependencies = { ...assembleApiDependencies(config, parts, log), system, settings, recentLog };
  const api = createApi({ ...dependencies, cliFile, consoleDirectory });
  const privateApp = new Hono().route("/", createHealth(readiness)).mount("/", api.fetch, { replaceRequest: false });
  const privatePort = openServer(privateApp.fetch, log);

  const stopping = new AbortController();
  const stop = async () => {
    stopping.abort();
    readiness.beginStop();
    for (const { endConnections } of [publicPort, privatePort]) endConnections();
    // A balancer that asks /readyz sends its requests elsewhere before the port closes.
    if (publicPort.server.listening) await stopNotice();
    await reports.close();
    // Nothing but this ends the streams of live events, and the waits of pulls at once.
    tails.close();
    pullWaits.close();
    await Promise.all([publicPort, privatePort].map(({ server }) => closeServer(server, STOP_LIMIT_MS)));
    // Failure policy: open. Every acknowledged event is durable, and nothing else can be lost.
    const closed = Promise.all([closeStores(stores, ingress), tracing?.close()]).then(() => true);
    if ((await within(CLOSE_LIMIT_MS, closed)) === undefined) log.warn("the stores did not close in time");
  };

  const loading = stores.prepared.then(async (outcome) => {
    if (outcome !== "prepared") return false;
    await ingress.sources.watch(stopping.signal);
    return true;
  });
  const applyFile = createFileApi(dependencies);
  const applyOptions = { prune: config.CONFIG_PRUNE === "on", log, signal: stopping.signal };
  const started = loading.then((isLoaded) => (isLoaded ? file?.apply(applyFile, applyOptions) : undefined));
  // The caller of startGateway handles a rejection. This handler is for the time until the caller has the promise.
  started.catch(() => undefined);
  const reload = file && (() => file.applyAgain(applyFile, applyOptions));
  try {
    // The API opens before the ingress, so that /readyz says what the gateway waits for.
    const apiUrl = await listen(privatePort.server, { host: config.API_HOST, port: config.API_PORT }, "API_PORT");
    // A file that cannot be applied ends the start. Without PostgreSQL it is applied later.
    if (await waitForSources(loading, stores, log)) await started;
    // The queue learns here which store takes jobs. Otherwise the first events would have to wait for that.
    await stores.producer.status();
    const ingressUrl = await listen(publicPort.server, { host: config.HOST, port: config.PORT }, "PORT");
    log.info({ ...BUILD, ingress: ingressUrl, api: apiUrl, queue: stores.backend.kind }, "gateway started");
    return { ingressUrl, apiUrl, started, stop, ...(reload !== undefined && { reload }) };
  } catch (error) {
    await stop();
    throw error;
  }
}

function createReadiness(
  { ingressDb, producer }: GatewayStores,
  sources: KnownSources,
  publicPort: OpenServer,
): Readiness {
  return new Readiness({
    ...storeChecks(producer, {
      needsQueue: true,
      // If a store of the queue takes jobs, the ingress takes events without PostgreSQL.
      needsPostgres: false,
      askPostgres: () => ingressDb.pool.query("SELECT").then(() => true),
    }),
    sources: {
      isRequired: true,
      ask: async () => {
        // Ready means that the port is open too, because senders send events as soon as they see it.
        const age = publicPort.server.listening ? sources.age() : undefined;
        if (age === undefined) return { ok: false, problem: "the sources are not loaded yet, so no event is taken" };
        return { ok: true, age_seconds: age.seconds, from_snapshot: age.isFromSnapshot };
      },
    },
  });
}

/** Waits for a limited time. @returns whether they are loaded. @throws the error of `loading` when it rejects in this time. */
async function waitForSources(
  loading: Promise<boolean>,
  { snapshot, identity }: GatewayStores,
  log: Logger,
): Promise<boolean> {
  const isLoaded = (await within(START_LIMIT_MS, loading)) !== undefined;
  if (!isLoaded) {
    log.warn({ snapshot: snapshot?.confirmedAt }, "PostgreSQL is away: started without it");
    // Not before: PostgreSQL has the last word, and a gateway cannot change its identity while it runs.
    if (snapshot?.relayId !== undefined && identity.id === undefined) identity.settle(snapshot.relayId);
  }
  return isLoaded;
}

async function closeStores(
  { closeDatabases, backend, producer }: GatewayStores,
  ingress: AssembledIngress,
): Promise<void> {
  await ingress.rejections.close();
  await ingress.sources.close();
  await producer.close();
  await backend.close();
  await closeDatabases();
}
