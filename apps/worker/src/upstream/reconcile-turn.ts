// One turn of a key: its list of batches is read when that is due, and so is each job that is due. A turn ends early when
// Gemini refuses, and the key rests then.

import { GeminiFailure } from "@sluice/gemini/failure";
import { openGeminiJobs } from "@sluice/gemini/jobs";
import { backoffMs } from "@sluice/shared/domain/backoff";
import { inMs, keepJobReader, type ReaderChange } from "@sluice/store/upstream/jobs-readers";
import { spendGeminiRequest } from "@sluice/store/upstream/request-budget";

import { checkDueJobs } from "./reconcile-checks.ts";
import { listBatches } from "./reconcile-list.ts";
import type { JobTurn, OpenTurn } from "./reconcile-key.ts";

/** Longer than a request may take (20 s) after the last renewal. */
export const JOB_LEASE_MS = 30_000;
const KEEP_EVERY_MS = 5_000;
/** The share of a key's requests that reading may use. The rest is for what people do: register, rotate, heal. */
const READING_SHARE = 0.8;
/** After a failure that does not say when to come back. */
const PAUSE = { baseSeconds: 30, capSeconds: 3_600 };
/** An absurd `Retry-After` must not keep jobs from being read for days. */
const LONGEST_RETRY_AFTER_MS = 6 * 3_600_000;
const HOUR_MS = 3_600_000;

/** Another worker has the key, or this one stops. What is left is for the next turn. */
class LostTurn extends Error {}

export interface JobTurnResult {
  /** What the reader's row is to say after the turn. */
  change: ReaderChange;
  /** Whether more jobs are due than one turn looks at. */
  hasMore: boolean;
}

export async function takeJobTurn(turn: JobTurn): Promise<JobTurnResult> {
  const { db, key, reader, workerId, config, stopping, log } = turn;
  const requests = { count: 0 };
  const gemini = await openGeminiJobs(key.key, {
    baseUrl: config.GEMINI_BASE_URL,
    spend: async () => {
      requests.count += 1;
      return spendGeminiRequest(
        db,
        key.keyId,
        Math.max(1, Math.floor(config.GEMINI_REQUESTS_PER_HOUR * READING_SHARE)),
      );
    },
  });
  let keptAt = performance.now();
  const keep = async (change?: ReaderChange) => {
    if (stopping.aborted) throw new LostTurn();
    if (change === undefined && performance.now() - keptAt < KEEP_EVERY_MS) return;
    keptAt = performance.now();
    if (!(await keepJobReader(db, key.keyId, workerId, JOB_LEASE_MS, change))) throw new LostTurn();
  };
  const open: OpenTurn = { ...turn, gemini, requests, keep };
  try {
    if (reader.isListDue) await listBatches(open);
    const hasMore = await checkDueJobs(open);
    return { change: { failures: 0, problem: null, pausedUntil: null }, hasMore };
  } catch (error) {
    if (error instanceof LostTurn) return { change: {}, hasMore: false };
    if (!(error instanceof GeminiFailure)) throw error;
    const pauseMs = pauseAfter(error, gemini.retryAfterMs, reader.failures);
    const sources = key.sources.map(({ sourceName }) => sourceName);
    log.warn({ err: error, sources, pause_ms: pauseMs }, "jobs not read at Gemini; trying again after a pause");
    const change = { failures: reader.failures + 1, problem: error.message, pausedUntil: inMs(pauseMs) };
    return { change, hasMore: false };
  }
}

function pauseAfter(failure: GeminiFailure, retryAfterMs: number | undefined, failures: number): number {
  // The budget is counted by the hour.
  if (failure.kind === "over_budget") return HOUR_MS - (Date.now() % HOUR_MS);
  if (retryAfterMs !== undefined) return Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS);
  return backoffMs(failures, PAUSE, Math.random());
}
