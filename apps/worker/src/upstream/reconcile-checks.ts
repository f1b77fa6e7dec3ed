// Looks at the jobs that are due: whether their events have come, and otherwise what Gemini says about them. Nothing is ever
// concluded from an absence: a job that no list shows is asked for by its name.

import { GeminiFailure } from "@sluice/gemini/failure";
import { findJobEnd, type JobReading } from "@sluice/shared/domain/job-ends";
import { type JobRecord, startOfJob } from "@sluice/store/upstream/jobs";
import {
  concludeJob,
  failJob,
  type JobOfKey,
  listDueJobs,
  markJobOverdue,
  markJobSeen,
  noteJobReading,
} from "@sluice/store/upstream/jobs-conclude";
import { type EndEvent, findEndEvents } from "@sluice/store/upstream/jobs-ends";

import { type OpenTurn, settingsOf } from "./reconcile-key.ts";

/** The jobs of one turn; each that has ended costs a transaction of some milliseconds. */
const MAX_DUE = 500;
/** The jobs of one turn that are read at Gemini. */
const MAX_READS = 50;
/** The jobs in hand at once: fewer than the connections of a worker, which its deliveries need too. */
const AT_ONCE = 4;
const SHORTEST_AGAIN_MS = 300_000;
const LONGEST_AGAIN_MS = 3_600_000;

/** What came of the jobs of a turn. */
interface Tally {
  seen: number;
  reconciled: number;
  overdue: number;
  failed: number;
}

/** @returns whether more jobs are due. */
export async function checkDueJobs(turn: OpenTurn): Promise<boolean> {
  const { db, key, hasRested, log } = turn;
  const sourceIds = key.sources.map(({ sourceId }) => sourceId);
  const due = await listDueJobs(db, sourceIds, MAX_DUE);
  const named = due.flatMap((job) => {
    const { kind, name } = job;
    return name === null ? [] : [{ kind, name, sinceMs: startOfJob(job) }];
  });
  const events = await findEndEvents(db, sourceIds, named);
  const tally: Tally = { seen: 0, reconciled: 0, overdue: 0, failed: 0 };
  let reads = 0;
  let failure: unknown;
  const next = due.values();
  const checkAll = async () => {
    for (const job of next) {
      const source = key.sources.find(({ sourceId }) => sourceId === job.sourceId);
      if (source === undefined) continue;
      if (job.endedAt === null && ++reads > MAX_READS) continue;
      const event = job.name === null ? undefined : events.get(job.name);
      try {
        await checkJob(turn, { job, sourceIds, sourceName: source.sourceName }, event, tally);
        await turn.keep();
      } catch (error) {
        failure ??= error;
      }
      if (failure !== undefined) return;
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, checkAll));
    if (failure !== undefined) throw failure;
    // Without rest, those that have ended stay due.
    return hasRested && (due.length === MAX_DUE || reads > MAX_READS);
  } finally {
    if (Object.values(tally).some((count) => count > 0)) {
      const sources = key.sources.map(({ sourceName }) => sourceName);
      log.info({ ...tally, sources, requests: turn.requests.count }, "jobs reconciled");
    }
  }
}

async function checkJob(turn: OpenTurn, ofKey: JobOfKey, event: EndEvent | undefined, tally: Tally): Promise<void> {
  if (event !== undefined) {
    await markJobSeen(turn.db, ofKey.job, event);
    tally.seen += 1;
  } else if (ofKey.job.endedAt === null) {
    await readAtGemini(turn, ofKey, tally);
  } else if (turn.hasRested) {
    await conclude(turn, ofKey, tally);
  }
}

/** Reads a job that may still run. */
async function readAtGemini(turn: OpenTurn, ofKey: JobOfKey, tally: Tally): Promise<void> {
  const { db, gemini, key } = turn;
  const { job } = ofKey;
  const isLate = job.expectedAt.getTime() <= Date.now();
  const againMs = againAfter(job);
  if (job.name === null) {
    const problem = "The relay does not know its name: send it with PATCH /v1/jobs/{id}";
    await overdue(turn, ofKey, tally, { state: null, problem, againMs });
    return;
  }
  let reading: JobReading;
  try {
    reading = await gemini.read(job.kind, job.name);
  } catch (error) {
    if (!(error instanceof GeminiFailure)) throw error;
    if (error.kind === "not_found") {
      wakeAll(turn, await failJob(db, ofKey, error.message));
      tally.failed += 1;
      return;
    }
    // A name that Gemini does not take is a fault of this job alone. Anything else is one of the key, or passes.
    if (error.kind !== "refused") throw error;
    await overdue(turn, ofKey, tally, { state: job.state, problem: error.message, againMs });
    return;
  }
  if (findJobEnd(job.kind, reading.state) === undefined) {
    if (isLate) await overdue(turn, ofKey, tally, { state: reading.state, problem: null, againMs });
    else await noteJobReading(db, job, reading, againMs);
    return;
  }
  // Without a time of its own, such as that of a video, the end is at most as old as this look at it.
  const endedAtMs = reading.endedAtMs ?? Date.now();
  const graceLeftMs = endedAtMs + settingsOf(key, job.sourceId).graceSeconds * 1_000 - Date.now();
  await noteJobReading(db, job, { ...reading, endedAtMs }, Math.max(0, graceLeftMs));
  if (graceLeftMs > 0 || !turn.hasRested) return;
  const ended = { ...job, state: reading.state, endData: reading.data };
  await conclude(turn, { ...ofKey, job: ended }, tally);
}

/** A job that runs for long is looked at less often. */
function againAfter({ expectedAt }: JobRecord): number {
  const lateMs = Date.now() - expectedAt.getTime();
  return Math.min(Math.max(lateMs / 4, SHORTEST_AGAIN_MS), LONGEST_AGAIN_MS);
}

async function conclude(turn: OpenTurn, ofKey: JobOfKey, tally: Tally): Promise<void> {
  await addFailure(turn, ofKey.job);
  const concluded = await concludeJob(turn.db, ofKey);
  switch (concluded.kind) {
    case "reconciled":
      tally.reconciled += 1;
      wakeAll(turn, concluded.targetIds);
      return;
    case "seen":
      tally.seen += 1;
      return;
    case "closed":
      return;
    default:
      concluded satisfies never;
  }
}

/** The event of a failed batch says why it failed. The list does not. */
async function addFailure({ db, gemini }: OpenTurn, job: JobRecord): Promise<void> {
  const { kind, name, state, endedAt } = job;
  if (kind !== "batch" || state !== "failed" || name === null) return;
  try {
    const data = await gemini.readBatchFailure(name);
    const reading = { name, state, startedAtMs: undefined, endedAtMs: endedAt?.getTime() ?? Date.now(), data };
    await noteJobReading(db, job, reading, 0);
  } catch (error) {
    if (!(error instanceof GeminiFailure) || error.isPassing) throw error;
    // Failure policy: open. The event comes without the reason rather than not at all.
  }
}

async function overdue(
  turn: OpenTurn,
  ofKey: JobOfKey,
  tally: Tally,
  told: { state: string | null; problem: string | null; againMs: number },
): Promise<void> {
  wakeAll(turn, await markJobOverdue(turn.db, ofKey, told));
  if (ofKey.job.status !== "overdue") tally.overdue += 1;
}

function wakeAll({ wake: wakeTarget }: OpenTurn, targetIds: readonly string[]): void {
  for (const targetId of targetIds) wakeTarget(targetId);
}
