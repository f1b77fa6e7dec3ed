// Writes the log of rejections so that a flood costs little. For each source and reason, the first requests of a window get
// a row each. One more row stands for all further requests. The weights of the rows add up to the true number.

import { cutText } from "@sluice/shared/domain/cut-text";
import { newId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import { within } from "@sluice/shared/runtime/within";
import type { RefusalReason } from "@sluice/signature/refusal";
import { MAX_ID_LENGTH } from "@sluice/signature/verification/webhook-id";
import type { Database } from "@sluice/store/connection/database";
import { insertRejections, type NewRejection } from "@sluice/store/log/rejections";

import type { Metrics } from "../metrics.ts";

/** With 21 rows for each window, a flood of a day makes about 180,000 rows for each source and reason, at any rate. */
const WINDOW_MS = 10_000;
const SINGLE_ROWS = 20;
/** The time that a row waits for others. No request waits for it. */
const FLUSH_MS = 250;
const MAX_BATCH_ROWS = 500;
/** While PostgreSQL hangs, so many rows wait in memory: a few megabytes. */
const MAX_WAITING_ROWS = 2_000;
const CLOSE_LIMIT_MS = 2_000;

const MAX_DETAIL_LENGTH = 500;
/** An IPv6 address with a zone fits in. */
const MAX_ADDRESS_LENGTH = 64;
const MAX_INT4 = 2 ** 31 - 1;
/**
 * Secrets and tokens of the relay, signatures, and JWTs. No detail should contain any. If one does by mistake, this removes
 * them.
 */
const SECRETS = /\b(?:whsec|whsk|sluice|it|cb)_[\w+/=.-]{16,}|\bv1a?,[\w+/=-]+|\beyJ[\w.-]+/g;

export interface RejectedRequest {
  sourceId: string;
  sourceName: string;
  reason: RefusalReason;
  /** Says to a person what is wrong. */
  detail: string;
  /** The id in the header, which is not verified. */
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

/** Counts the requests of one source and reason in the current window. */
interface RejectionTally {
  /** The number of requests with a row of their own. */
  singles: number;
  /** The row of all further requests. Its weight grows with each of them until the window ends. */
  rest: NewRejection | undefined;
}

export class RejectionLog {
  readonly #db: Database;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #nowMs: () => number;
  /** By source and reason. Empty between two windows. */
  readonly #tallies = new Map<string, RejectionTally>();
  #windowStartedMs = 0;
  /** The rows that the next flush writes. */
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

  /** Counts a refused request, and adds it to the log in a row of its own or in the row of the rest. Never throws. */
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
      this.#addRow(toRow(request));
    }
  }

  /** Writes the waiting rows for at most 2 seconds, and drops the others. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#closeWindow();
    await within(CLOSE_LIMIT_MS, this.#drain());
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

  #addRow(row: NewRejection): void {
    if (this.#waiting.length < MAX_WAITING_ROWS) this.#waiting.push(row);
    else this.#drop([row]);
  }

  /** Starts a timer for the next flush, and again until the window ends. There is no timer while nothing is refused. */
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
      if (rest !== undefined) this.#addRow(rest);
    }
    this.#tallies.clear();
  }

  async #drain(): Promise<void> {
    // One flush is not enough: a flush that is about to end does not see the rows that were added a moment ago.
    while (this.#waiting.length > 0 || this.#flushing !== undefined) await this.#flush();
  }

  /** There is one flush at a time, so that refusals use at most one connection to PostgreSQL. */
  #flush(): Promise<void> {
    this.#flushing ??= this.#writeAll().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const rows = this.#waiting.splice(0, MAX_BATCH_ROWS);
      try {
        await insertRejections(this.#db, rows);
        this.#isFailing = false;
      } catch (error) {
        // Failure policy: open. Refused requests must not fill the memory, so the rows are not kept for another try. The
        // metrics and the log of the gateway have counted the requests.
        this.#drop(rows);
        if (!this.#isFailing) this.#log.warn({ err: error }, "rejections not written: their rows are lost");
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
    // The column of ids is ASCII, because every accepted id is.
    webhookId: webhookId ? clean(webhookId, MAX_ID_LENGTH).replaceAll(/[^\x20-\x7e]/g, "?") : null,
    remoteAddress: remoteAddress ? clean(remoteAddress, MAX_ADDRESS_LENGTH) : null,
    sizeBytes: sizeBytes !== undefined && sizeBytes >= 0 ? Math.min(Math.trunc(sizeBytes), MAX_INT4) : null,
    weight: 1,
  };
}

/**
 * Makes text of a sender safe to store. The text is cut before it is searched, because the sender chose its length.
 * PostgreSQL does not store NUL in a text.
 */
function clean(text: string, maxLength: number): string {
  const safe = text
    .slice(0, maxLength)
    .replaceAll(SECRETS, "[redacted]")
    .replaceAll(/\p{Cc}/gu, "?");
  return cutText(safe, maxLength);
}
