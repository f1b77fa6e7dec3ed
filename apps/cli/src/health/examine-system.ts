// Judges what a relay says of itself: its stores, its clocks, its queue, its workers and its targets.

import type { TargetTrouble } from "@sluice/client/target-trouble";

import { durationText } from "../output/times.ts";
import { type DoctorFinding, ok, warning, wrong } from "./finding.ts";
import { type RelayState, sumCounts, type SystemAnswer, type UnwellTarget } from "./relay-state.ts";

/** From here on, a peak or one more process fails. */
const CROWDED = 0.9;
/** Signatures are good for 5 minutes by default. Retries are late or early by the difference. */
const CLOCK_WARNING_MS = 2_000;
const CLOCK_WRONG_MS = 60_000;
/** Batches are stored within milliseconds. */
const BACKLOG_BATCHES = 100;
const OLD_SECONDS = 3_600;
const NAMED_TARGETS = 5;

export function examineSystem({ system, unwellTargets }: RelayState): DoctorFinding[] {
  return [
    examinePostgres(system),
    ...examineRedis(system),
    examineQueue(system),
    ...examineSetAside(system),
    examineWorkers(system),
    ...system.problems
      .filter(({ app }) => app === "worker")
      .map(({ check, problem }) =>
        warning("worker", `${check}: ${problem}`, "Read the log of the worker, and its /readyz."),
      ),
    examineClocks(system),
    ...(unwellTargets === null ? [] : examineTargets(unwellTargets)),
    ...examineWaiting(system),
    ...examineRetention(system),
  ];
}

function examinePostgres({ stores: { postgres }, versions }: SystemAnswer): DoctorFinding {
  const check = "postgres";
  const { used, limit } = postgres.connections;
  if (!postgres.ok)
    return wrong(
      check,
      `PostgreSQL takes no jobs: ${postgres.problem}`,
      'docs/operations.md: "While PostgreSQL is away".',
    );
  if (used === null || limit === null)
    return wrong(check, "PostgreSQL answers too slowly to be asked", "Look at its load, its locks and its disk.");
  const found = `PostgreSQL ${versions.postgres} is well, and ${used} of its ${limit} connections are in use`;
  const advice =
    'Raise max_connections, lower DATABASE_MAX_CONNECTIONS, or put a pooler in front: docs/postgres.md, "Connections".';
  if (used >= CROWDED * limit) return warning(check, found, advice);
  const crowded = postgres.pools.filter(({ waiting }) => waiting > 0).map(({ name }) => name);
  if (crowded.length > 0) return warning(check, `${found}; statements wait for one of ${crowded.join(", ")}`, advice);
  return ok(check, found);
}

function examineRedis({ stores: { redis }, versions }: SystemAnswer): DoctorFinding[] {
  const check = "redis";
  if (redis === null) return [];
  const advice = 'docs/operations.md: "When Redis is away, slow or not durable".';
  if (!redis.takes_jobs)
    return [wrong(check, `Redis takes no jobs, so that they go to PostgreSQL: ${redis.problems.join(", ")}`, advice)];
  if (redis.durable === false)
    return [warning(check, `Redis may lose what it confirms: ${redis.problems.join(", ")}`, advice)];
  if (redis.last_write_ok === false)
    return [wrong(check, "The last write of Redis to its append-only file failed", "Look at the disk of Redis.")];
  const { used_memory_bytes: used, max_memory_bytes: most } = redis;
  if (used !== null && most !== null && used >= CROWDED * most)
    return [
      warning(check, "Redis has less than a tenth of its memory left", "Raise its maxmemory: it evicts nothing."),
    ];
  const name = versions.redis ?? "Redis";
  return [ok(check, `${name} takes the jobs${redis.durable === true ? ", and keeps what it confirms" : ""}`)];
}

function examineQueue({ queue, workers }: SystemAnswer): DoctorFinding {
  const check = "queue";
  if (queue.takes === null) return wrong(check, "No store takes events: every sender gets a 503", "Repair a store.");
  const batches = sumCounts(queue.waiting_batches);
  if (batches < BACKLOG_BATCHES)
    return ok(check, batches === 0 ? "Nothing waits to be stored" : `${batches} batches of events are being stored`);
  const advice =
    workers === 0 ? "Start a worker." : "Start more workers, or look why they are slow: docs/operations.md.";
  return warning(check, `${batches} batches of events wait to be stored`, advice);
}

function examineSetAside({ queue }: SystemAnswer): DoctorFinding[] {
  const count = sumCounts(queue.set_aside_events);
  if (count === 0) return [];
  const found = `${count} acknowledged ${count === 1 ? "event" : "events"} could not be stored`;
  return [warning("set aside", found, "`sluice set-aside list` says why; `sluice set-aside retry-all` tries again.")];
}

function examineWorkers({ workers }: SystemAnswer): DoctorFinding {
  if (workers === 0)
    return wrong(
      "workers",
      "No worker runs: events are taken, and nothing is delivered",
      "Start a worker, or read its log.",
    );
  return ok("workers", workers === null ? "How many run is not known" : `${workers} ${workers === 1 ? "runs" : "run"}`);
}

function examineClocks({ clock: { ahead_ms: aheadMs, precision_ms: precisionMs } }: SystemAnswer): DoctorFinding {
  const check = "clock";
  if (aheadMs === null || precisionMs === null)
    return wrong(check, "The clock of PostgreSQL could not be read", "Repair PostgreSQL first.");
  // What could be due to the time of the question is no difference.
  const differenceMs = Math.max(0, Math.abs(aheadMs) - precisionMs);
  if (differenceMs < CLOCK_WARNING_MS) return ok(check, "The clocks of gateway and PostgreSQL agree");
  const found = `The gateway is ${durationText(Math.abs(aheadMs) / 1000)} ${aheadMs > 0 ? "ahead of" : "behind"} PostgreSQL`;
  const advice =
    "Let NTP set both clocks. The gateway judges signatures by its own, and PostgreSQL decides what is due.";
  return differenceMs < CLOCK_WRONG_MS ? warning(check, found, advice) : wrong(check, found, advice);
}

const FAILURES: readonly TargetTrouble[] = ["breaker_open", "reports_failures"];

function examineTargets(targets: readonly UnwellTarget[]): DoctorFinding[] {
  const check = "targets";
  const failing = targets.filter(
    ({ state, trouble }) => FAILURES.includes(trouble) || state === "disabled_due_to_failed_deliveries",
  );
  const idle = targets.filter(({ trouble }) => trouble === "not_pulled");
  // By id: somebody pastes the command into a shell, and a name may hold what a shell runs.
  const failures = `\`sluice attempts list --target ${failing[0]?.id} --limit 5\` shows how they fail; \`sluice targets test ${failing[0]?.id}\` tries one.`;
  const findings = [
    ...(failing.length === 0
      ? []
      : [
          warning(
            check,
            `${failing.length} ${failing.length === 1 ? "fails" : "fail"}: ${nameSome(failing)}`,
            failures,
          ),
        ]),
    ...(idle.length === 0
      ? []
      : [
          warning(
            check,
            `Deliveries wait, and nobody pulls for ${nameSome(idle)}`,
            `Start the service that pulls. If there is none any more: \`sluice targets delete ${idle[0]?.id}\`.`,
          ),
        ]),
  ];
  return findings.length > 0 ? findings : [ok(check, "None fails")];
}

function nameSome(targets: readonly UnwellTarget[]): string {
  const names = targets.slice(0, NAMED_TARGETS).map(({ name }) => name);
  return names.join(", ") + (targets.length > names.length ? ` and ${targets.length - names.length} more` : "");
}

function examineWaiting({ deliveries: { waiting, oldest_waiting_seconds: seconds } }: SystemAnswer): DoctorFinding[] {
  if (waiting === null || seconds === null || seconds < OLD_SECONDS) return [];
  const found = `${waiting} ${waiting === 1 ? "delivery waits" : "deliveries wait"}, the oldest for ${durationText(seconds)}`;
  return [warning("deliveries", found, "`sluice status` says for which targets; a paused target keeps what waits.")];
}

function examineRetention({ retention: { overdue_days: overdue } }: SystemAnswer): DoctorFinding[] {
  if (overdue === null || overdue === 0) return [];
  const found = `${overdue} days past RETENTION_DAYS are not removed yet, because a transaction holds them`;
  return [warning("retention", found, 'docs/operations.md: "What stays after RETENTION_DAYS".')];
}
