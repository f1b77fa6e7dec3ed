// The connections of the live tail. A connection reads the journal only when its client has taken the last messages, so
// a slow client holds at most one page of the journal in memory. All connections together use one connection of
// PostgreSQL at a time.

import type { ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import { Turns } from "@sluice/shared/runtime/turns";
import type { Database } from "@sluice/store/connection/database";
import { isTransient } from "@sluice/store/connection/postgres-errors";
import { type JournalPosition, writePosition } from "@sluice/store/journal/changes";
import { readTail, type TailFilter, type TailMessage } from "@sluice/store/journal/tail";

export interface TailLimits {
  /** The number of tails that one gateway serves at once. Each tail asks PostgreSQL twice a second. */
  maxTails: number;
  /** How many of them one API key may hold, so that it does not keep out all others. */
  maxTailsOfKey: number;
  /** How often the key of an open tail is checked again. */
  recheckMs: number;
  /** A client that takes nothing for this long is disconnected. */
  stuckMs: number;
}

export const TAIL_LIMITS: TailLimits = { maxTails: 32, maxTailsOfKey: 8, recheckMs: 3_000, stuckMs: 30_000 };

const POLL_MS = 500;
/** Below the idle limit of common proxies (60 s), and the interval that the HTML standard advises. */
const HEARTBEAT_MS = 15_000;
/** How long a stuck client has to take the message `overflow` before its connection is cut. */
const CUT_MS = 2_000;
/** How long a client waits before it reconnects. */
const RECONNECT_MS = 2_000;
const RETRY_AFTER_SECONDS = 10;

export interface TailsDependencies {
  db: Database;
  log: Logger;
  limits: TailLimits;
}

export interface TailOptions {
  /** Whose tail it is, as `holderIdOf` says. */
  holderId: string | null;
  /** Undefined for a caller whose key never ends. */
  isStillValid: (() => Promise<boolean>) | undefined;
  filter: TailFilter;
  /** Where in the journal the tail begins. */
  position: JournalPosition;
  /** How long the tail lasts; Infinity for one without an end. */
  durationMs: number;
  /** Returns the type and the data of a message. */
  show: (message: TailMessage) => { event: string; data: object };
  /** The response that carries the tail. It is destroyed to cut a client that does not take what it is sent. */
  outgoing: ServerResponse | undefined;
}

interface OpenTail {
  holderId: string | null;
  /** Cuts the connection if its client takes nothing. */
  cut: () => void;
}

export class Tails {
  readonly #dependencies: TailsDependencies;
  readonly #stopping = new AbortController();
  readonly #open = new Set<OpenTail>();
  /** All tails use one connection of PostgreSQL at a time. */
  readonly #turns = new Turns();

  constructor(dependencies: TailsDependencies) {
    this.#dependencies = dependencies;
  }

  /** How many clients are being served. */
  get count(): number {
    return this.#open.size;
  }

  /** @throws SluiceError `unavailable` when the gateway serves as many tails as it may, or is stopping. */
  requireRoom(holderId: string | null): void {
    const { maxTails, maxTailsOfKey } = this.#dependencies.limits;
    if (this.#open.size >= maxTails || this.#stopping.signal.aborted)
      throw noRoom(`This gateway is stopping, or serves its maximum of ${maxTails} live tails; reconnect later`);
    if ([...this.#open].filter((tail) => tail.holderId === holderId).length >= maxTailsOfKey)
      throw noRoom(`Your API key has ${maxTailsOfKey} live tails on this gateway, which is its maximum; close one`);
  }

  /**
   * Opens a tail, which lasts until its time is over, the client leaves or is disconnected as stuck, its key ends, or the
   * gateway stops.
   * @returns the server-sent events, as UTF-8.
   * @throws SluiceError like {@link requireRoom}
   */
  open(options: TailOptions): ReadableStream<Uint8Array> {
    this.requireRoom(options.holderId);
    const left = new AbortController();
    const texts = this.#follow(options, AbortSignal.any([left.signal, this.#stopping.signal]));
    const encoder = new TextEncoder();
    let stuck: NodeJS.Timeout | undefined;
    // The stream pulls only when the client has taken everything that it was sent.
    let isPulling = false;
    const cut = () => {
      if (!isPulling) options.outgoing?.destroy();
    };
    const end = () => {
      clearTimeout(stuck);
      left.abort();
      this.#open.delete(tail);
    };
    const tail = { holderId: options.holderId, cut };
    this.#open.add(tail);
    return new ReadableStream(
      {
        pull: async (controller) => {
          isPulling = true;
          clearTimeout(stuck);
          const next = await texts.next();
          isPulling = false;
          if (left.signal.aborted) return;
          if (next.done === true) {
            end();
            controller.close();
            return;
          }
          controller.enqueue(encoder.encode(next.value));
          stuck = setTimeout(() => {
            end();
            controller.enqueue(
              encoder.encode(
                formatMessage("overflow", {
                  detail: "You read nothing for too long; reconnect with the last event id",
                }),
              ),
            );
            controller.close();
            setTimeout(() => options.outgoing?.destroy(), CUT_MS).unref();
          }, this.#dependencies.limits.stuckMs);
        },
        cancel: end,
      },
      { highWaterMark: 0 },
    );
  }

  /** Ends every tail at once, also those whose clients take nothing. */
  close(): void {
    this.#stopping.abort();
    for (const { cut } of this.#open) cut();
  }

  async *#follow(
    { isStillValid, filter, position: start, durationMs, show }: TailOptions,
    ended: AbortSignal,
  ): AsyncGenerator<string, void> {
    const { db, limits, log } = this.#dependencies;
    const endsAt = performance.now() + durationMs;
    let checkedAt = performance.now();
    let position = start;
    let writtenAt = performance.now();
    // Sent at once, so that a proxy passes the headers on and the client knows its position.
    yield `retry: ${RECONNECT_MS}\nid: ${writePosition(position)}\n\n`;
    while (!ended.aborted && performance.now() < endsAt) {
      let text = "";
      let isEnd = true;
      try {
        if (isStillValid !== undefined && performance.now() - checkedAt >= limits.recheckMs) {
          if (!(await isStillValid())) return;
          checkedAt = performance.now();
        }
        const page = await this.#turns.take(() => readTail(db, filter, position));
        text = page.steps.map((step) => formatStep(step.messages, step.position, show)).join("");
        ({ next: position, isEnd } = page);
        if (page.wasAhead) log.warn("the database was restored from another cluster: a live tail goes on from its end");
      } catch (error) {
        // Failure policy: open. While PostgreSQL is away the tail sends nothing. It misses nothing, because it goes on
        // from its position afterwards.
        if (!isTransient(error)) throw error;
        log.warn({ err: error }, "live tail not read");
      }
      if (text === "" && performance.now() - writtenAt >= HEARTBEAT_MS) {
        // The heartbeat carries the id, so that a client whose filter matches nothing still moves on in the journal.
        text = `: heartbeat\nid: ${writePosition(position)}\n\n`;
      }
      if (text !== "") {
        yield text;
        writtenAt = performance.now();
      }
      if (isEnd) await delay(POLL_MS, undefined, { signal: ended }).catch(() => undefined);
    }
  }
}

/**
 * Only the last message of a step has its position as its id, so a client that stopped before it gets the step again.
 */
function formatStep(messages: TailMessage[], position: JournalPosition, show: TailOptions["show"]): string {
  const id = writePosition(position);
  return messages
    .map((each, index) => {
      const { event, data } = show(each);
      return formatMessage(event, data, index === messages.length - 1 ? id : undefined);
    })
    .join("");
}

/** The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html. */
function formatMessage(event: string, data: object, id?: string): string {
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

const noRoom = (detail: string) => new SluiceError("unavailable", detail, { retryAfterSeconds: RETRY_AFTER_SECONDS });
