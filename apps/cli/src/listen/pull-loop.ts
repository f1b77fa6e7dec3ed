// Fetches deliveries of one pull target and reports what became of each. It goes on over lost connections: what it had fetched
// and not reported is due again when its lease has run out, so that nothing is lost when this process dies at any moment.

import { ApiError, NoAnswerError } from "@sluice/client/api-error";
import type { Schemas, SluiceClient } from "@sluice/client/client";
import { waitOrAbort } from "@sluice/client/wait-or-abort";

import type { ForwardResult, PulledDelivery } from "./pulled-delivery.ts";

export interface PullLoopOptions {
  api: SluiceClient;
  targetId: string;
  /** How many deliveries are worked on at once. */
  concurrency: number;
  /** Does the work. Must not reject. Undefined leaves the delivery unreported: its lease runs out. */
  work: (delivery: PulledDelivery) => Promise<ForwardResult | undefined>;
  onEvent: (event: PullLoopEvent) => void;
  /** How long one pull may take. It is above the time that the relay waits when it is not given. */
  pullLimitMs?: number;
  /** Ends the loop: it fetches nothing more, and reports what is under way. */
  signal: AbortSignal;
}

export type PullLoopEvent =
  | { kind: "connected"; waiting: number; state: Schemas["TargetState"] }
  /** The relay is away. The loop tries again by itself. */
  | { kind: "lost"; reason: string };

const WAIT_SECONDS = 25;
/** Above the time that the relay waits. */
const PULL_LIMIT_MS = 40_000;
const LEASE_SECONDS = 45;
const EXTEND_EVERY_MS = 15_000;
const MAX_AT_ONCE = 100;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
const PAUSE_AFTER_EMPTY_MS = 1_000;
/** The time that is left for the last reports after the loop was told to end. */
const LAST_REPORTS_MS = 5_000;

interface Report {
  delivery: PulledDelivery;
  result: ForwardResult;
}

/** @throws ApiError when the relay refuses, such as when the key was revoked or the target deleted. */
export async function runPullLoop(options: PullLoopOptions): Promise<void> {
  await new PullLoop(options).run();
}

class PullLoop {
  readonly #options: PullLoopOptions;
  /** By token. */
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #reports: Report[] = [];
  #reporting: Promise<void> | undefined;
  #onFree = () => {};
  #isLost = false;
  #refusal: unknown;
  /** Aborts when reports are given up. */
  readonly #giveUp = new AbortController();

  constructor(options: PullLoopOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { signal, concurrency } = this.#options;
    const extending = setInterval(() => void this.#extend(), EXTEND_EVERY_MS);
    try {
      while (!signal.aborted && this.#refusal === undefined) {
        const room = Math.min(concurrency - this.#underWay.size, MAX_AT_ONCE);
        if (room > 0) await this.#pull(room);
        else await this.#untilFree();
      }
      await this.#finish();
    } finally {
      clearInterval(extending);
    }
    if (this.#refusal !== undefined) throw this.#refusal as Error;
  }

  /** Waits for what is under way and for its reports, for a limited time. What is not reported by then is due again. */
  async #finish(): Promise<void> {
    const timer = setTimeout(() => this.#giveUp.abort(), LAST_REPORTS_MS);
    const givenUp = new Promise((resolve) => this.#giveUp.signal.addEventListener("abort", resolve, { once: true }));
    await Promise.race([Promise.all(this.#underWay.values()), givenUp]);
    await this.#reporting;
    clearTimeout(timer);
  }

  async #pull(max: number): Promise<void> {
    const { api, targetId, onEvent, signal, pullLimitMs = PULL_LIMIT_MS } = this.#options;
    const from = performance.now();
    const body = { max, wait_seconds: this.#isLost ? 0 : WAIT_SECONDS, lease_seconds: LEASE_SECONDS };
    const pulled = await this.#persist(signal, () => {
      // Each try has this time to itself: a relay that was away for longer must be found again.
      const within = AbortSignal.any([signal, AbortSignal.timeout(pullLimitMs)]);
      return api.post("/v1/targets/{id}:pull", { params: { path: { id: targetId } }, body, signal: within });
    });
    if (pulled !== undefined) onEvent({ kind: "connected", waiting: pulled.waiting, state: pulled.state });
    for (const delivery of pulled?.deliveries ?? []) this.#begin(delivery);
    // A relay answers at once when it stops, and when the target is paused.
    const isAtOnce = pulled?.deliveries.length === 0 && performance.now() - from < PAUSE_AFTER_EMPTY_MS;
    if (isAtOnce) await waitOrAbort(PAUSE_AFTER_EMPTY_MS, signal).catch(() => undefined);
  }

  #begin(delivery: PulledDelivery): void {
    this.#underWay.set(delivery.token, this.#workOn(delivery));
  }

  async #workOn(delivery: PulledDelivery): Promise<void> {
    const result = await this.#options.work(delivery);
    this.#underWay.delete(delivery.token);
    if (result !== undefined) this.#report({ delivery, result });
    this.#onFree();
  }

  #untilFree(): Promise<void> {
    return new Promise((resolve) => {
      this.#onFree = resolve;
    });
  }

  #report(report: Report): void {
    this.#reports.push(report);
    this.#reporting ??= this.#reportAll().finally(() => {
      this.#reporting = undefined;
    });
  }

  /** What ends while a report is under way goes into the next one together. */
  async #reportAll(): Promise<void> {
    const { api, targetId } = this.#options;
    while (this.#reports.length > 0 && this.#refusal === undefined) {
      const body = { results: this.#reports.splice(0, MAX_AT_ONCE).map(toPullReport) };
      await this.#persist(this.#giveUp.signal, () =>
        api.post("/v1/targets/{id}:ack", { params: { path: { id: targetId } }, body }),
      );
    }
  }

  async #extend(): Promise<void> {
    const tokens = [...this.#underWay.keys()];
    if (tokens.length === 0) return;
    const { api, targetId } = this.#options;
    // Failure policy: open. At worst the lease runs out, and the service gets the event twice.
    await api
      .post("/v1/targets/{id}:extend", {
        params: { path: { id: targetId } },
        body: { tokens, lease_seconds: LEASE_SECONDS },
      })
      .catch(() => undefined);
  }

  /** Asks until the relay answers. @returns undefined when it refuses, or when the signal aborts. */
  async #persist<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T | undefined> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const answer = await ask();
        this.#isLost = false;
        return answer;
      } catch (error) {
        if (signal.aborted) return undefined;
        if (isFinalRefusal(error)) {
          this.#refusal = error;
          this.#onFree();
          return undefined;
        }
        this.#noteLost(error);
        await waitOrAbort(pauseMs, signal).catch(() => undefined);
      }
    }
  }

  #noteLost(error: unknown): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#options.onEvent({ kind: "lost", reason: error instanceof Error ? error.message : String(error) });
  }
}

/** A refusal that a repetition does not cure. */
function isFinalRefusal(error: unknown): boolean {
  if (error instanceof NoAnswerError) return false;
  if (error instanceof ApiError) return error.status < 500 && error.status !== 429 && error.status !== 408;
  return !(error instanceof DOMException);
}

function toPullReport({ delivery, result }: Report) {
  const { startedAt, durationMs, statusCode, error, responseExcerpt, retryAfterSeconds } = result;
  return {
    token: delivery.token,
    started_at: startedAt,
    duration_ms: durationMs,
    ...(error === null ? { status_code: statusCode ?? 0 } : { error }),
    ...(responseExcerpt !== null && { response_excerpt: responseExcerpt }),
    ...(retryAfterSeconds !== undefined && { retry_after_seconds: retryAfterSeconds }),
  };
}
