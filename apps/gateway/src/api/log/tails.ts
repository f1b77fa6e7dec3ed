// The connections of the live tail. Each reads the journal when its consumer has taken what was written before, so that
// a slow one holds no more than one answer in memory; all of them together have one connection of PostgreSQL at a time.

import type { ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import { type JournalPosition, writePosition } from "@sluice/store/journal/changes";
import type { Database } from "@sluice/store/connection/database";
import { isTransient } from "@sluice/store/connection/postgres-errors";
import { readTail, type TailFilter, type TailMessage } from "@sluice/store/journal/tail";

/** Of this gateway. Each asks PostgreSQL twice a second. */
const MAX_TAILS = 32;
const POLL_MS = 500;
/** Below the idle limit of common proxies (60 s), and as the HTML standard advises. */
const HEARTBEAT_MS = 15_000;
/** What a client does not take within it is more than it can. */
const STUCK_MS = 30_000;
/** After a last word to such a client. */
const CUT_MS = 2_000;
/** That a client waits before it comes back, in milliseconds. */
const RECONNECT_MS = 2_000;
const RETRY_AFTER_SECONDS = 10;

export interface TailsDependencies {
  db: Database;
  log: Logger;
  maxTails?: number;
  stuckMs?: number;
}

export interface TailOptions {
  filter: TailFilter;
  position: JournalPosition;
  /** The name and the data of a message. */
  show: (message: TailMessage) => { event: string; data: object };
  /** What is written to, to cut it when the client does not take what it is sent. */
  outgoing: ServerResponse | undefined;
}

export class Tails {
  readonly #dependencies: TailsDependencies;
  readonly #stopping = new AbortController();
  /** How each is cut. */
  readonly #open = new Set<() => void>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(dependencies: TailsDependencies) {
    this.#dependencies = dependencies;
  }

  /** @throws SluiceError `unavailable` when there are as many as there may be, or the gateway stops. */
  requireRoom(): void {
    const { maxTails = MAX_TAILS } = this.#dependencies;
    if (this.#open.size < maxTails && !this.#stopping.signal.aborted) return;
    const detail = `This gateway serves ${maxTails} live tails at once at most`;
    throw new SluiceError("unavailable", detail, { retryAfterSeconds: RETRY_AFTER_SECONDS });
  }

  /** Server-sent events until the client leaves or the gateway stops. @throws as {@link requireRoom} does */
  open(options: TailOptions): ReadableStream<Uint8Array> {
    this.requireRoom();
    const left = new AbortController();
    const texts = this.#follow(options, AbortSignal.any([left.signal, this.#stopping.signal]));
    const encoder = new TextEncoder();
    let stuck: NodeJS.Timeout | undefined;
    // While nothing is asked for, the client has not taken what it was sent.
    let isPulling = false;
    const cut = () => {
      if (!isPulling) options.outgoing?.destroy();
    };
    const end = () => {
      clearTimeout(stuck);
      left.abort();
      this.#open.delete(cut);
    };
    this.#open.add(cut);
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
              encoder.encode(message("overflow", { detail: "Not taken in time: come back by the last id" })),
            );
            controller.close();
            setTimeout(() => options.outgoing?.destroy(), CUT_MS).unref();
          }, this.#dependencies.stuckMs ?? STUCK_MS);
        },
        cancel: end,
      },
      { highWaterMark: 0 },
    );
  }

  /** Ends all of them: at once, also those whose clients take nothing. */
  close(): void {
    this.#stopping.abort();
    for (const cut of this.#open) cut();
  }

  async *#follow({ filter, position: start, show }: TailOptions, ended: AbortSignal): AsyncGenerator<string, void> {
    const { db, log } = this.#dependencies;
    let position = start;
    let writtenAt = performance.now();
    // At once, so that a proxy passes the headers on and the client knows where it is.
    yield `retry: ${RECONNECT_MS}\nid: ${writePosition(position)}\n\n`;
    while (!ended.aborted) {
      let text = "";
      let isEnd = true;
      try {
        const page = await this.#inTurn(() => readTail(db, filter, position));
        text = page.steps.map((step) => showStep(step.messages, step.position, show)).join("");
        ({ next: position, isEnd } = page);
      } catch (error) {
        // Failure policy: open. While PostgreSQL is away nothing happens, and nothing is missed when it is back.
        if (!isTransient(error)) throw error;
        log.warn({ err: error }, "live tail not read");
      }
      if (text === "" && performance.now() - writtenAt >= HEARTBEAT_MS) {
        // The id too: where a filter lets nothing through, the client still gets on.
        text = `: heartbeat\nid: ${writePosition(position)}\n\n`;
      }
      if (text !== "") {
        yield text;
        writtenAt = performance.now();
      }
      if (isEnd) await delay(POLL_MS, undefined, { signal: ended }).catch(() => undefined);
    }
  }

  async #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(read);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

/** The position comes with the last message of a step: who comes back by an earlier one gets the step again. */
function showStep(messages: TailMessage[], position: JournalPosition, show: TailOptions["show"]): string {
  const id = writePosition(position);
  return messages
    .map((each, index) => {
      const { event, data } = show(each);
      return message(event, data, index === messages.length - 1 ? id : undefined);
    })
    .join("");
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html */
function message(event: string, data: object, id?: string): string {
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}
