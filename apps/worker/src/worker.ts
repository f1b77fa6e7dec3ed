// The worker: intake, lanes and chores over PostgreSQL and the queue.

import { consumersCheck, storeChecks } from "@sluice/queue/checks";
import { openQueueBackend } from "@sluice/queue/open-backend";
import { type Consumer, Interrupted, type Producer } from "@sluice/queue/queue";
import { readRedisServers } from "@sluice/queue/redis-client";
import { RelayIdentity } from "@sluice/queue/relay-identity";
import { createAddressGuard } from "@sluice/shared/address/guard";
import { OwnServices } from "@sluice/shared/address/own-services";
import type { ResolveHost } from "@sluice/shared/address/resolve-host";
import { newId } from "@sluice/shared/domain/ids";
import { BUILD } from "@sluice/shared/runtime/build";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import { settlesWithin } from "@sluice/shared/runtime/within";
import { listOwnServices } from "@sluice/shared/settings/list-own-services";
import { readOrCreateMasterKey } from "@sluice/shared/settings/master-key-file";
import { findOwnIds } from "@sluice/store/configuration/own-ids";
import { targetsPart } from "@sluice/store/configuration/targets-part";
import { readRelayId } from "@sluice/store/connection/configuration-row";
import { connectDatabases } from "@sluice/store/connection/connect";
import { STEADY_PLANS } from "@sluice/store/connection/database";
import { divideConnections } from "@sluice/store/connection/divide-connections";
import { readPostgresServer } from "@sluice/store/connection/postgres-server";
import { startProblemReports } from "@sluice/store/operational/problem-reports";
import type { TellingSettings } from "@sluice/store/operational/telling";
import { ConfigurationCopy } from "@sluice/store/configuration/configuration-copy";
import type { RetentionPeriods } from "@sluice/store/delivery/retention-state";
import { openTracing } from "@sluice/tracing/tracing";

import { Breakers } from "./breaker/breakers.ts";
import { startCounting } from "./chores/counting.ts";
import { startIdleTargets } from "./chores/idle-targets.ts";
import { startNaming } from "./chores/naming.ts";
import { startOperations } from "./chores/operation-steps.ts";
import { startBodyRemoval } from "./chores/body-removal.ts";
import { startRetention } from "./chores/retention.ts";
import { startRetirement } from "./chores/retirement.ts";
import { startSweep } from "./chores/sweep.ts";
import { startWaitingSampling } from "./chores/waiting-sampling.ts";
import { startTelling } from "./chores/telling.ts";
import { Lanes } from "./deliver/lanes.ts";
import { Leases } from "./deliver/leases.ts";
import { OpenSockets } from "./deliver/open-sockets.ts";
import { Recorder } from "./deliver/recorder.ts";
import { RequestSlots } from "./deliver/request-slots.ts";
import { Sender } from "./deliver/send.ts";
import { Shares } from "./deliver/shares.ts";
import { TargetConnections } from "./deliver/target-connections.ts";
import { WakeUps } from "./deliver/wake-ups.ts";
import { limitConnectionsToTargets } from "./descriptor-limit.ts";
import { startHealthServer } from "./health-server.ts";
import { IntakeBudget } from "./intake/intake-budget.ts";
import { IntakeGroup } from "./intake/intake-group.ts";
import { JobSources } from "./chores/job-sources.ts";
import { storeAll, takeIn } from "./intake/intake.ts";
import { WorkerMetrics } from "./metrics.ts";
import { TargetLabels } from "./target-labels.ts";
import { startReconciliation } from "./upstream/reconcile.ts";
import { ThreadLoad } from "./deliver/thread-load.ts";
import { startUpstreamWatch } from "./upstream/watch.ts";
import type { WorkerConfig } from "./worker-config.ts";

/**
 * How the connections are divided. The setting DATABASE_MAX_CONNECTIONS holds the sums of these minimums and shares.
 * Each of the two consumers has a connection on which it LISTENs.
 */
const CONNECTIONS = {
  work: { min: 2, share: 9 },
  // For signs of life, which MUST NOT wait for other statements: a worker without them is taken for dead.
  beats: { min: 1, share: 0 },
  producer: { min: 1, share: 3 },
  consumers: { min: 3, share: 5 },
};
/** The most jobs in hand at once, which are stored together: see intake-group.ts and intake-budget.ts. */
const INTAKE_CONCURRENCY = 32;
const DELIVER_CONCURRENCY = 4;
/**
 * How long a stop waits for attempts to end and to be written. An attempt takes at most 30 s. Another worker repeats
 * what is not written by then. With CLOSE_LIMIT_MS and the limits of the stores, a stop takes 35 s at most, whatever is
 * away.
 */
const RECORD_LIMIT_MS = 31_500;
/** How long a stop waits for questions to PostgreSQL whose answers are of no use any more. */
const CLOSE_LIMIT_MS = 1_000;
/** How long the lane of a deleted target, and connections by settings of TLS that no target has, may stay. */
const FORGET_EVERY_MS = 60_000;
const HOUR_MS = 3_600_000;

export interface Worker {
  /** The address of liveness, readiness and metrics. */
  url: string;
  stop: () => Promise<void>;
}

export interface WorkerOptions {
  /** In place of the system's resolver. */
  resolve?: ResolveHost;
}

export async function startWorker(config: WorkerConfig, log: Logger, { resolve }: WorkerOptions = {}): Promise<Worker> {
  const tracing = await openTracing(config, "sluice-worker", log);
  const masterKey = config.MASTER_KEY?.reveal() ?? readOrCreateMasterKey(config.DATA_DIR);
  const server = readPostgresServer(config);
  const connections = divideConnections(config.DATABASE_MAX_CONNECTIONS, CONNECTIONS);
  const identity = new RelayIdentity();
  const {
    databases: { work: db, beats },
    prepared,
    close: closeDatabase,
  } = connectDatabases({
    server,
    applicationName: "sluice-worker",
    pools: {
      work: { maxConnections: connections.work, settings: STEADY_PLANS },
      beats: { maxConnections: connections.beats },
    },
    connections: { all: config.DATABASE_MAX_CONNECTIONS, sessions: connections.consumers },
    masterKey,
    prepare: async (connected) => identity.settle(await readRelayId(connected)),
    log,
  });
  const backend = openQueueBackend({
    postgres: {
      server,
      producerConnections: connections.producer,
      consumerConnections: connections.consumers,
    },
    redis: readRedisServers(config),
    identity,
    durability: config.REDIS_DURABILITY,
    replicas: config.REDIS_REPLICAS,
    log,
  });
  const producer = backend.openProducer();
  const metrics = new WorkerMetrics();
  metrics.watchPools({ work: db.pool, beats: beats.pool });

  // Health comes before PostgreSQL is there: a worker that waits is alive, and /readyz says what it waits for.
  let isWorking = false;
  const consumers: Consumer[] = [];
  const health = await startHealthServer(
    { host: config.WORKER_HOST, port: config.WORKER_PORT },
    {
      ...storeChecks(producer, {
        // Without PostgreSQL nothing is delivered. Without Redis, what came by PostgreSQL is.
        needsQueue: false,
        needsPostgres: true,
        askPostgres: () => db.pool.query("SELECT").then(() => isWorking),
      }),
      consumers: consumersCheck(() => consumers),
    },
    metrics,
    log,
  );
  log.info({ url: health.url }, "health is served");
  try {
    await prepared;
  } catch (error) {
    await Promise.all([health.close(), producer.close(), closeDatabase()]);
    await backend.close();
    throw error;
  }

  // What is known of the targets and their breakers.
  const targets = await ConfigurationCopy.open(db, targetsPart(masterKey), log);
  const workerId = newId();
  const leases = new Leases(db, workerId, log);
  const wake = (targetId: string) => lanes.forTarget(targetId).wake();
  const breakers = new Breakers({
    db,
    lease: leases.lease,
    disableAfterMs: (config.DISABLE_TARGET_AFTER_HOURS || Number.POSITIVE_INFINITY) * HOUR_MS,
    refreshTargets: () => targets.refresh(),
    wake,
    log,
  });

  // Delivering.
  const stopping = new AbortController();
  const giveUp = new AbortController();
  const limits = limitConnectionsToTargets(config.MAX_IN_FLIGHT);
  const { maxInFlight, keptSockets } = limits;
  if (limits.isAboveDescriptors)
    log.warn(limits, "MAX_IN_FLIGHT is more than the file descriptors of the process allow");
  const slots = new RequestSlots(maxInFlight);
  const sockets = new OpenSockets(keptSockets);
  metrics.watch({ requestsInFlight: () => slots.taken, openConnections: () => sockets.count, maxInFlight });
  const addressGuard = createAddressGuard({
    allow: config.TARGET_ALLOW,
    deny: config.TARGET_DENY,
    loopback: { isOpen: config.TARGET_LOOPBACK === "allow", setting: "TARGET_LOOPBACK" },
    ownServices: new OwnServices(
      listOwnServices({ ...config, WORKER_PORT: Number(new URL(health.url).port) }),
      resolve,
    ),
  });
  const targetConnections = new TargetConnections({
    guard: addressGuard,
    resolve,
    sockets,
    connectionSeconds: config.TARGET_CONNECTION_SECONDS,
    ca: config.TARGET_CA_FILE,
  });
  const shares = new Shares({
    db: beats,
    workerId,
    listOver: (limit) => lanes.listOver(limit),
    listWaiting: (limit) => lanes.listWaiting(limit),
    changed: () => lanes.sharesChanged(),
    wake: (targetId) => lanes.forTarget(targetId).wakeForShare(),
    log,
  });
  const labels = new TargetLabels(() => targets.current.value);
  const meter = metrics.watchDeliveries({ labels, countInFlight: () => lanes.countInFlight() });
  const onFinished = meter.countFinished.bind(meter);
  const lanes = new Lanes({
    meter,
    shares,
    findTarget: (id) => targets.current.value.get(id),
    leases,
    breakers,
    sender: new Sender(targetConnections, sockets, config.API_URL),
    slots,
    onOwnFault: (error) => {
      metrics.countOwnFault();
      sparing(log).warn({ err: error, max_in_flight: maxInFlight }, "request not sent by a fault of this worker");
    },
    recorder: new Recorder(db, workerId, giveUp.signal, log, () => metrics.countUnrecordedAttempt()),
    wakeUps: new WakeUps(producer, log),
    thread: new ThreadLoad(),
    tracing,
    log,
  });

  // Chores. Partitions are made first: without them nothing can be stored.
  const retention = await startRetention(db, { periods: readPeriods(config), onFinished }, log);
  await breakers.start();
  await shares.start();
  const retirement = { retentionDays: config.RETENTION_DAYS, unfinished: config.RETENTION_UNFINISHED, onFinished };
  const chores = [
    retention,
    startRetirement(db, retirement, log),
    ...(config.BODY_RETENTION_DAYS === undefined ? [] : [startBodyRemoval(db, config.BODY_RETENTION_DAYS, log)]),
    startCounting(db, log, onFinished),
    startNaming(db, labels, () => meter.tidy(), log),
    startSweep(db, wake, log),
    startWaitingSampling(db, log),
    startIdleTargets(db, log),
    startOperations(db, wake, log),
    startUpstreamWatch({ db, masterKey, config, wake, log }),
    startReconciliation({ db, masterKey, config, workerId, wake, log }),
    startTelling({ db, producer, settings: tellingSettings(config), wake, log }),
    startProblemReports({ db, app: "worker", findProblems: health.findProblems, log }),
  ];
  const forgetting = setInterval(() => {
    lanes.dropDeleted();
    targetConnections.tidy(targets.current.value.values());
  }, FORGET_EVERY_MS);

  // Intake and wake-ups.
  const jobSources = new JobSources(db, log);
  const intakeDependencies = {
    db,
    targets,
    lanes,
    leases,
    producer,
    jobSources,
    tracing,
    stopping: stopping.signal,
    log,
  };
  const intake = new IntakeGroup({
    storeAll: (events) => storeAll(events, intakeDependencies),
    takeIn: (job) => takeIn(job, intakeDependencies),
  });
  const intakeBudget = new IntakeBudget(INTAKE_CONCURRENCY, (jobs) => intakeConsumer.setConcurrency(jobs));
  const intakeConsumer = backend.consume("intake", 1, (job) => intakeBudget.during(job.events, () => intake.add(job)));
  consumers.push(
    intakeConsumer,
    backend.consume("deliver", DELIVER_CONCURRENCY, async ({ targetId, deliveryId }) => {
      // A target that was resumed just now must be seen as enabled, and its breaker as closed.
      await Promise.all([targets.refresh(), breakers.isOpen(targetId) ? breakers.refresh() : undefined]).catch(
        () => undefined,
      );
      const lane = lanes.forTarget(targetId);
      if (deliveryId === undefined) lane.wake();
      else if (!lane.sendTest(deliveryId)) throw new Interrupted();
    }),
  );
  const oldJobs = backend.moveOldJobs(producer, (name, ids) =>
    findOwnIds(db, name === "intake" ? "sources" : "targets", ids),
  );
  isWorking = true;
  log.info(
    { ...BUILD, url: health.url, queue: backend.kind, worker: workerId, max_in_flight: maxInFlight },
    "worker started",
  );

  const retrying = retrySetAside(producer, log);

  const stop = async () => {
    const outOfTime = Promise.withResolvers<void>();
    const limit = setTimeout(() => {
      giveUp.abort();
      outOfTime.resolve();
    }, RECORD_LIMIT_MS);
    // The lanes refuse first, so that nothing new begins while the rest comes to its end.
    lanes.refuse();
    stopping.abort();
    clearInterval(forgetting);
    slots.close();
    const asking = [jobSources.close(), ...chores.map((chore) => chore.close()), targets.close(), retrying];
    await Promise.all([...consumers, oldJobs].map((consumer) => consumer.close()));
    // The lanes stop after the consumers, because a job that was in hand may have had reservations.
    await Promise.race([lanes.stop(), outOfTime.promise]);
    clearTimeout(limit);
    leases.close();
    await settlesWithin(CLOSE_LIMIT_MS, Promise.all([...asking, breakers.close(), shares.close(), tracing?.close()]));
    await producer.close();
    await Promise.all([backend.close(), targetConnections.destroy(), health.close(), closeDatabase()]);
    if (giveUp.signal.aborted) {
      throw new Error(
        "There was no time to record every attempt; another worker repeats them when their leases run out",
      );
    }
  };
  return { url: health.url, stop };
}

const readPeriods = (config: WorkerConfig): RetentionPeriods => ({
  logDays: config.RETENTION_DAYS,
  bodyDays: config.BODY_RETENTION_DAYS,
  auditDays: config.AUDIT_RETENTION_DAYS,
});

function tellingSettings(config: WorkerConfig): TellingSettings {
  return {
    targetFailingAfterSeconds: config.TARGET_FAILING_AFTER_SECONDS,
    relayDegradedAfterSeconds: config.RELAY_DEGRADED_AFTER_SECONDS,
    sourceFailingRefusals: config.SOURCE_FAILING_REFUSALS,
  };
}

/** Tries once more what earlier workers could not store. Never rejects. */
async function retrySetAside(producer: Producer, log: Logger): Promise<void> {
  try {
    for (const setAside of producer.setAside) {
      // A store that is away MUST NOT keep the events of the other one from their try.
      const events = await setAside.count().catch(() => 0);
      if (events > 0) log.warn({ store: setAside.store, events }, "events are set aside: tried once more");
    }
    await producer.retryFailed("intake");
  } catch (error) {
    // Failure policy: open. The next start of a worker tries them again.
    log.warn({ err: error }, "events that were set aside are not tried again before the next start");
  }
}
