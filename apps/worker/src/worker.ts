// The worker: intake, lanes, sweep and retention over PostgreSQL and the queue.

import type { WorkerConfig } from "@sluice/shared/config";
import { newId } from "@sluice/shared/ids";
import type { Logger } from "@sluice/shared/log";
import { readOrCreateMasterKey } from "@sluice/shared/master-key-file";
import { openQueueBackend } from "@sluice/shared/queue/open";
import { connectDatabase } from "@sluice/shared/store/connect";
import { STEADY_PLANS } from "@sluice/shared/store/database";
import { Refreshed } from "@sluice/shared/store/refreshed";
import { loadTargets } from "@sluice/shared/store/targets";

import { startHealthServer } from "./health.ts";
import { takeIn } from "./intake.ts";
import { Lanes } from "./lanes.ts";
import { Leases } from "./leases.ts";
import { Recorder } from "./recorder.ts";
import { startRetention } from "./retention.ts";
import { openAgent } from "./send.ts";
import { startSweep } from "./sweep.ts";

const CONNECTIONS = 12;
const INTAKE_CONCURRENCY = 4;
const DELIVER_CONCURRENCY = 4;
/** An attempt takes at most 30 s; what has not ended then is repeated by another worker. */
const STOP_LIMIT_MS = 35_000;

export interface Worker {
  /** Health and the echo target, on loopback. */
  url: string;
  stop: () => Promise<void>;
}

export async function startWorker(config: WorkerConfig, log: Logger): Promise<Worker> {
  const masterKey = config.MASTER_KEY?.reveal() ?? readOrCreateMasterKey(config.DATA_DIR);
  const databaseUrl = config.DATABASE_URL.reveal();
  const db = await connectDatabase({
    url: databaseUrl,
    applicationName: "sluice-worker",
    maxConnections: CONNECTIONS,
    settings: STEADY_PLANS,
    masterKey,
    log,
  });
  const stopping = new AbortController();
  const giveUp = new AbortController();

  const targets = await Refreshed.open(
    db,
    async () => new Map((await loadTargets(db, masterKey)).map((target) => [target.id, target])),
    log,
  );
  const retention = await startRetention(db, config.RETENTION_DAYS, log);
  const backend = openQueueBackend(databaseUrl, config.REDIS_URL?.reveal(), log);
  const producer = backend.openProducer();
  const dispatcher = openAgent();
  const workerId = newId();
  const leases = new Leases(db, workerId, log);
  const recorder = new Recorder(db, workerId, giveUp.signal, log);
  const findTarget = (id: string) => targets.current.value.get(id);
  const lanes = new Lanes({ db, findTarget, leases, recorder, producer, dispatcher, log });
  const sweep = startSweep(db, (targetId) => lanes.of(targetId).wake(), log);

  const intakeDependencies = { db, targets, lanes, leases, producer, stopping: stopping.signal, log };
  const consumers = [
    backend.consume("intake", INTAKE_CONCURRENCY, (job) => takeIn(job, intakeDependencies)),
    backend.consume("deliver", DELIVER_CONCURRENCY, async ({ targetId }) => {
      // A target that was resumed just now must be seen as enabled.
      await targets.refresh().catch(() => undefined);
      lanes.of(targetId).wake();
    }),
  ];
  const health = await startHealthServer(
    config.WORKER_PORT,
    {
      postgres: () =>
        db.pool.query("SELECT").then(
          () => true,
          () => false,
        ),
      queue: () => producer.isReady(),
    },
    log,
  );
  log.info({ url: health.url, queue: backend.kind, worker: workerId }, "worker started");

  const stop = async () => {
    const limit = setTimeout(() => giveUp.abort(), STOP_LIMIT_MS);
    stopping.abort();
    await Promise.all([sweep.close(), retention.close(), ...consumers.map((consumer) => consumer.close())]);
    await lanes.stop();
    clearTimeout(limit);
    leases.close();
    await targets.close();
    await producer.close();
    await backend.close();
    await dispatcher.destroy();
    await health.close();
    await db.close();
  };
  return { url: health.url, stop };
}
