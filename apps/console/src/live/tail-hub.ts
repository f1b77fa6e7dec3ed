// One stream of the relay's tail for all tabs of a browser that ask the relay for the same. It runs in the SharedWorker (tail-worker.ts), or in the page of a
// browser that has none. It holds no history: a tab sees what comes after it joined.

import { ApiError, NoAnswerError } from "@sluice/client/api-error";
import { createSluiceClient } from "@sluice/client/client";

import type { SearchParams } from "../data/search-params.ts";
import { type TailRow, readTailRow } from "./tail-row.ts";

export type TailStatus =
  | { kind: "connecting" }
  /** `again` is when the connection was there again after a loss. */
  | { kind: "open"; again?: number }
  | { kind: "lost" }
  /** The relay has no room or does not answer; it is asked again. */
  | { kind: "waiting"; detail: string }
  /** `faults` has what is wrong with a filter, by its name. */
  | { kind: "refused"; detail: string; faults?: Record<string, string> };

export type HubMessage =
  | { kind: "status"; status: TailStatus }
  | { kind: "rows"; rows: TailRow[] }
  /** The relay no longer knows the place where the tail was. */
  | { kind: "gap" };

type Tell = (message: HubMessage) => void;

/** Rows are handed on in batches, because each message to a tab costs it a task. */
const BATCH_MS = 100;
const AGAIN_MS = 3_000;
/** After a lost connection the relay may send the last step again. It has about a thousand messages at most. */
const REMEMBERED_KEYS = 4_000;

export class TailHub {
  readonly #relay: ReturnType<typeof createSluiceClient>;
  readonly #tabs = new Set<Tell>();
  readonly #seen = new Set<string>();
  #status: TailStatus = { kind: "connecting" };
  #batch: TailRow[] = [];
  #stream: AbortController | undefined;

  readonly #query: SearchParams;

  /** @param query filters that the relay applies. */
  constructor(baseUrl: string, query: SearchParams) {
    this.#query = query;
    this.#relay = createSluiceClient({ baseUrl, maxTries: 1 });
  }

  /** @returns the function with which the tab leaves. The stream ends when the last one has left. */
  join(tell: Tell): () => void {
    this.#tabs.add(tell);
    if (this.#stream === undefined) {
      this.#stream = new AbortController();
      this.#status = { kind: "connecting" };
      void this.#follow(this.#stream.signal);
    }
    tell({ kind: "status", status: this.#status });
    return () => {
      this.#tabs.delete(tell);
      if (this.#tabs.size > 0) return;
      this.#stream?.abort();
      this.#stream = undefined;
    };
  }

  async #follow(signal: AbortSignal): Promise<void> {
    let lastEventId: string | undefined;
    while (!signal.aborted) {
      try {
        const onConnection = (state: "open" | "lost") => this.#noteConnection(state);
        for await (const entry of this.#relay.tail({ query: this.#query, lastEventId, signal, onConnection })) {
          ({ lastEventId } = entry);
          this.#add(readTailRow(entry));
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.code === "invalid_cursor") {
          lastEventId = undefined;
          this.#tell({ kind: "gap" });
        } else if (error instanceof ApiError && error.status < 500 && error.status !== 429) {
          this.#stream = undefined;
          return this.#setStatus({ kind: "refused", detail: error.detail, faults: faultsOf(error) });
        } else {
          this.#setStatus({ kind: "waiting", detail: tailFailure(error) });
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        }
      }
    }
  }

  #noteConnection(state: "open" | "lost"): void {
    if (state === "lost") this.#setStatus({ kind: "lost" });
    else this.#setStatus(this.#status.kind === "lost" ? { kind: "open", again: Date.now() } : { kind: "open" });
  }

  #setStatus(status: TailStatus): void {
    this.#status = status;
    this.#tell({ kind: "status", status });
  }

  #add(row: TailRow): void {
    if (this.#seen.has(row.key)) return;
    this.#seen.add(row.key);
    if (this.#seen.size > REMEMBERED_KEYS) {
      const [oldest = ""] = this.#seen;
      this.#seen.delete(oldest);
    }
    this.#batch.push(row);
    if (this.#batch.length > 1) return;
    setTimeout(() => {
      this.#tell({ kind: "rows", rows: this.#batch });
      this.#batch = [];
    }, BATCH_MS);
  }

  #tell(message: HubMessage): void {
    for (const tell of this.#tabs) tell(message);
  }
}

/** A pointer of the API names a parameter as `?label`. */
const faultsOf = ({ errors }: ApiError): Record<string, string> =>
  Object.fromEntries(errors.map(({ pointer, detail }) => [pointer.replace(/^\?/, ""), detail]));

function tailFailure(error: unknown): string {
  if (error instanceof ApiError) return error.detail;
  return error instanceof NoAnswerError ? "The gateway does not answer." : String(error);
}
