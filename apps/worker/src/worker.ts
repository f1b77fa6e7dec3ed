// The worker: intake, lanes, sweep and retention over PostgreSQL and the queue.

import { createAddressGuard } from "@sluice/shared/address/guard";
import { newId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import { readOrCreateMasterKey } from "@sluice/shared/settings/master-key-file";
import { queueChecks } from "@sluice/queue/checks";
import { openQueueBackend } from "@sluice/queue/open";
import { Interrupted } from "@sluice/queue/queue";
import { settlesWithin } from "@sluice/shared/runtime/within";
import { connectDatabase } from "@sluice/store/connection/connect";
import { STEADY_PLANS } from "@sluice/store/connection/database";
import { Refreshed } from "@sluice/store/connection/refreshed";
import { loadTargets } from "@sluice/store/configuration/targets";

import { Breakers } from "./breaker/breakers.ts";
import { startCounting } from "./chores/counting.ts";
import type { ResolveHost } from "./deliver/guarded-connect.ts";
import { startHealthServer } from "./health-server.ts";
import { takeIn } from "./intake/intake.ts";
import { IntakeGroup } from "./intake/intake-group.ts";
import { Lanes } from "./deliver/lanes.ts";
import { Leases } from "./deliver/leases.ts";
import { startOperations } from "./chores/operation-steps.ts";
import { Recorder } from "./deliver/recorder.ts";
import { startRetention } from "./chores/retention.ts";
import { openAgent } from "./deliver/send.ts";
import { startSweep } from "./chores/sweep.ts";
import { ThreadLoad } from "./intake/thread-load.ts";
import type { WorkerConfig } from "./worker-config.ts";

const CONNECTIONS = 12;
/** Jobs in hand, which are stored together: see intake-group.ts. */
const INTAKE_CONCURRENCY = 32;
const DELIVER_CONCURRENCY = 4;
/**
 * An attempt takes at most 30 s, and has then to be written; what is not is repeated by another worker. With the
 * limits below a stop takes 35 s at most, whatever is away.
 */
const RECORD_LIMIT_MS = 31_500;
/** For what asks PostgreSQL when the stop comes, and is of no use any more. */
const CLOSE_LIMIT_MS = 1_000;
const HOUR_MS = 3_600_000;

export interface Worker {
  /** The address of liveness and readiness, on loopback. */
  url: string;
  stop: () => Promise<void>;
}

export interface WorkerOptions {
  /** In place of the system's resolver. */
  resolve?: ResolveHost;
}

export async function startWorker(config: WorkerConfig, log: Logger, { resolve }: WorkerOptions = {}): Promise<Worker> {
  const masterKey = config.MASTER_KEY?.reveal() ?? readOrCreateMasterKey(config.DATA_DIR);
  const databaseUrl = config.DATABASE_URL.reveal();
  const { db, prepared } = connectDatabase({
    url: databaseUrl,
    applicationName: "sluice-worker",
    maxConnections: CONNECTIONS,
    settings: STEADY_PLANS,
    masterKey,
    log,
  });
  const backend = openQueueBackend(databaseUrl, config.REDIS_URL?.reveal(), log, config.REDIS_DURABILITY);
  const producer = backend.openProducer();
  // What it loads of PostgreSQL at its start is there.
  let isWorking = false;
  // Before PostgreSQL is there: a worker that waits is alive, and says what it waits for.
  const health = await startHealthServer(
    config.WORKER_PORT,
    {
      // Without it nothing is delivered; without Redis, what came by PostgreSQL is.
      postgres: { isRequired: true, ask: () => db.pool.query("SELECT").then(() => ({ ok: isWorking })) },
      ...queueChecks(producer, { isRequired: false }),
    },
    log,
  );
  log.info({ url: health.url }, "health is served");
  try {
    await prepared;
  } catch (error) {
    await Promise.all([health.close(), producer.close(), db.close()]);
    await backend.close();
    throw error;
  }
  const stopping = new AbortController();
  const giveUp = new AbortController();

  const targets = await Refreshed.open(
    db,
    async () => new Map((await loadTargets(db, masterKey)).map((target) => [target.id, target])),
    log,
  );
  const retention = await startRetention(
    db,
    { retentionDays: config.RETENTION_DAYS, auditRetentionDays: config.AUDIT_RETENTION_DAYS },
    log,
  );
  const counting = startCounting(db, log);
  const dispatcher = openAgent(createAddressGuard({ allow: config.TARGET_ALLOW, deny: config.TARGET_DENY }), resolve);
  const workerId = newId();
  const leases = new Leases(db, workerId, log);
  const recorder = new Recorder(db, workerId, giveUp.signal, log);
  const findTarget = (id: string) => targets.current.value.get(id);
  const disableAfterMs = (config.DISABLE_TARGET_AFTER_HOURS || Number.POSITIVE_INFINITY) * HOUR_MS;
  const wake = (targetId: string) => lanes.forTarget(targetId).wake();
  const breakers = new Breakers({
    db,
    lease: leases.lease,
    disableAfterMs,
    refreshTargets: () => targets.refresh(),
    wake,
    log,
  });
  const lanes = new Lanes({
    db,
    findTarget,
    leases,
    breakers,
    recorder,
    producer,
    dispatcher,
    thread: new ThreadLoad(),
    log,
  });
  await breakers.start();
  const sweep = startSweep(db, wake, log);
  const operations = startOperations(db, wake, log);

  const intakeDependencies = { db, targets, lanes, leases, producer, stopping: stopping.signal, log };
  const intake = new IntakeGroup((job, isGroup) => takeIn(job, intakeDependencies, isGroup));
  const consumers = [
    backend.consume("intake", INTAKE_CONCURRENCY, (job) => intake.add(job)),
    backend.consume("deliver", DELIVER_CONCURRENCY, async ({ targetId, deliveryId }) => {
      // A target that was resumed just now must be seen as enabled, and its breaker as closed.
      await Promise.all([targets.refresh(), breakers.isOpen(targetId) ? breakers.refresh() : undefined]).catch(
        () => undefined,
      );
      const lane = lanes.forTarget(targetId);
      if (deliveryId === undefined) lane.wake();
      else if (!lane.test(deliveryId)) throw new Interrupted();
    }),
  ];
  isWorking = true;
  log.info({ url: health.url, queue: backend.kind, worker: workerId }, "worker started");

  // Failure policy: open. They are retried at the next start too.
  const retrySetAside = async () => {
    for (const one of producer.setAside) {
      // A store that is away MUST NOT keep those of the other from their try.
      const events = await one.count().catch(() => 0);
      if (events > 0) log.warn({ store: one.store, events }, "events are set aside: tried once more");
    }
    await producer.retryFailed("intake");
  };
  const retrying = retrySetAside().catch((error: unknown) => {
    log.warn({ err: error }, "failed intake jobs not retried");
  });

  const stop = async () => {
    const outOfTime = Promise.withResolvers<void>();
    const limit = setTimeout(() => {
      giveUp.abort();
      outOfTime.resolve();
    }, RECORD_LIMIT_MS);
    // First, so that nothing new begins while the rest comes to its end.
    lanes.refuse();
    stopping.abort();
    const asking = [sweep.close(), retention.close(), counting.close(), operations.close(), targets.close(), retrying];
    await Promise.all(consumers.map((consumer) => consumer.close()));
    // After the consumers: a job that was in hand may have had reservations.
    await Promise.race([lanes.stop(), outOfTime.promise]);
    clearTimeout(limit);
    leases.close();
    await settlesWithin(CLOSE_LIMIT_MS, Promise.all([...asking, breakers.close()]));
    await producer.close();
    await Promise.all([backend.close(), dispatcher.destroy(), health.close(), db.close()]);
    // Their leases run out, and another worker repeats them.
    if (giveUp.signal.aborted) throw new Error("There was no time to record every attempt");
  };
  return { url: health.url, stop };
}
