// The log of rejections, written so that a flood costs little: per source and reason, the first of a window are
// rows of their own, and one row more stands for all that follow. The weights sum to the true number.

import { setTimeout as delay } from "node:timers/promises";

import { plainAddress } from "@sluice/shared/address/plain-address";
import { newId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import type { RefusalReason } from "@sluice/signature/refusal";
import type { Database } from "@sluice/store/connection/database";
import { withPartitions } from "@sluice/store/connection/partitions";
import { insertRejections, type NewRejection } from "@sluice/store/log/rejections";

import type { Metrics } from "../metrics.ts";

/** With 20 rows in each: a flood that lasts a day is some 180,000 rows per source and reason, whatever its rate. */
const WINDOW_MS = 10_000;
const SINGLE_ROWS = 20;
/** How long a row waits for others. Nobody waits for it. */
const FLUSH_MS = 250;
const MAX_BATCH_ROWS = 500;
/** What a PostgreSQL that hangs may cost in memory: some megabytes. */
const MAX_WAITING_ROWS = 2_000;
const CLOSE_LIMIT_MS = 2_000;

const MAX_DETAIL_LENGTH = 500;
/** As the longest that is verified. */
const MAX_WEBHOOK_ID_LENGTH = 256;
/** Of an IPv6 address with a zone. */
const MAX_ADDRESS_LENGTH = 64;
const MAX_INT4 = 2 ** 31 - 1;
/** The net under the rule that no detail has a secret: secrets and tokens of ours, signatures, JWTs. */
const SECRETS = /\b(?:whsec|whsk|sluice|it|cb)_[\w+/=.-]{16,}|\bv1a?,[\w+/=-]+|\beyJ[\w.-]+/g;

export interface RejectedRequest {
  sourceId: string;
  sourceName: string;
  reason: RefusalReason;
  /** Words for a person. */
  detail: string;
  /** As the header has it, not verified. */
  webhookId: string | undefined;
  remoteAddress: string | undefined;
  sizeBytes: number | undefined;
}

export interface RejectionLogDependencies {
  db: Database;
  metrics: Metrics;
  log: Logger;
  /** A clock that only goes forward, in milliseconds. */
  nowMs?: () => number;
}

/** The requests of one source and reason in the window. */
interface RejectionTally {
  singles: number;
  /** The first request beyond the single ones. Its weight grows with each that follows, until the window ends. */
  rest: NewRejection | undefined;
}

export class RejectionLog {
  readonly #db: Database;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #nowMs: () => number;
  readonly #tallies = new Map<string, RejectionTally>();
  #windowStartedMs = 0;
  #waiting: NewRejection[] = [];
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #isFailing = false;
  #isClosed = false;

  constructor({ db, metrics, log, nowMs = () => performance.now() }: RejectionLogDependencies) {
    this.#db = db;
    this.#metrics = metrics;
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** Counts a refused request, and logs it soon or as a part of another row. Never throws and never waits. */
  record(request: RejectedRequest): void {
    this.#metrics.countRefusal(request.sourceName, request.reason);
    if (this.#isClosed) {
      this.#metrics.countDroppedRejections(1);
      return;
    }
    const tally = this.#tallyOf(request);
    if (tally.rest !== undefined) {
      tally.rest.weight += 1;
    } else if (tally.singles === SINGLE_ROWS) {
      tally.rest = toRow(request);
    } else {
      tally.singles += 1;
      this.#enqueue(toRow(request));
    }
  }

  /** Writes what waits, for at most 2 seconds, and drops the rest. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#closeWindow();
    const limit = new AbortController();
    // Aborted when it is no longer needed: that rejects it, and nobody minds.
    const timeout = delay(CLOSE_LIMIT_MS, undefined, { signal: limit.signal }).catch(() => undefined);
    await Promise.race([this.#drain(), timeout]);
    limit.abort();
    this.#drop(this.#waiting.splice(0));
  }

  #tallyOf({ sourceId, reason }: RejectedRequest): RejectionTally {
    const key = `${sourceId} ${reason}`;
    const known = this.#tallies.get(key);
    if (known !== undefined) return known;
    if (this.#tallies.size === 0) this.#windowStartedMs = this.#nowMs();
    const tally: RejectionTally = { singles: 0, rest: undefined };
    this.#tallies.set(key, tally);
    this.#schedule();
    return tally;
  }

  #enqueue(row: NewRejection): void {
    if (this.#waiting.length < MAX_WAITING_ROWS) this.#waiting.push(row);
    else this.#drop([row]);
  }

  /** Ticks until the window has ended: there is no timer while nothing is refused. */
  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#nowMs() - this.#windowStartedMs >= WINDOW_MS) this.#closeWindow();
      if (this.#tallies.size > 0) this.#schedule();
      void this.#flush();
    }, FLUSH_MS);
  }

  #closeWindow(): void {
    for (const { rest } of this.#tallies.values()) {
      if (rest !== undefined) this.#enqueue(rest);
    }
    this.#tallies.clear();
  }

  async #drain(): Promise<void> {
    // Not once: a flush that is ending does not see what was added after its last look.
    while (this.#waiting.length > 0 || this.#flushing !== undefined) await this.#flush();
  }

  /** One statement at a time, so that refusals hold at most one connection. */
  #flush(): Promise<void> {
    this.#flushing ??= this.#writeAll().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const rows = this.#waiting.splice(0, MAX_BATCH_ROWS);
      const ids = rows.map(({ id }) => id);
      try {
        await withPartitions(this.#db, ids, () => insertRejections(this.#db, rows));
        this.#isFailing = false;
      } catch (error) {
        // Failure policy: open. A refused request must not cost more than itself, so it is not kept for later; the
        // counters and the gateway's own log have it.
        this.#drop(rows);
        if (!this.#isFailing) this.#log.warn({ err: error }, "rejections not written");
        this.#isFailing = true;
      }
    }
  }

  #drop(rows: readonly NewRejection[]): void {
    const requests = rows.reduce((sum, { weight }) => sum + weight, 0);
    this.#metrics.countDroppedRejections(requests);
  }
}

function toRow(request: RejectedRequest): NewRejection {
  const { sourceId, reason, detail, webhookId, remoteAddress, sizeBytes } = request;
  return {
    id: newId(),
    sourceId,
    reason,
    detail: clean(detail, MAX_DETAIL_LENGTH),
    // A column of ids is ASCII, as every id that is accepted.
    webhookId: webhookId ? clean(webhookId, MAX_WEBHOOK_ID_LENGTH).replaceAll(/[^\x20-\x7e]/g, "?") : null,
    remoteAddress: remoteAddress ? clean(plainAddress(remoteAddress), MAX_ADDRESS_LENGTH) : null,
    sizeBytes: sizeBytes !== undefined && sizeBytes >= 0 ? Math.min(Math.trunc(sizeBytes), MAX_INT4) : null,
    weight: 1,
  };
}

/** Cut before it is searched, because the sender chose its length; PostgreSQL has no NUL in a text. */
function clean(text: string, maxLength: number): string {
  return text
    .slice(0, maxLength)
    .replaceAll(SECRETS, "[redacted]")
    .replaceAll(/\p{Cc}/gu, "?")
    .slice(0, maxLength);
}
