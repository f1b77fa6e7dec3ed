// Reads bodies as raw bytes, within three limits: of each body, counted while it arrives whatever its Content-Length
// says; of the bytes of all bodies that are in memory and not judged yet; and of the bodies that are being read,
// because anybody can begin a request.

import type { IncomingMessage, ServerResponse } from "node:http";

/** Some tens of the default MAX_BODY_BYTES, and thousands of what Gemini sends. */
const MIN_BUDGET_BYTES = 64 * 1024 * 1024;
/** What a Buffer costs beside its bytes: a body in chunks of one byte each is mostly that. */
const CHUNK_OVERHEAD_BYTES = 256;

export type BodyResult =
  /** The body counts until it is released. */
  | { kind: "complete"; body: Buffer; heldBytes: number }
  | { kind: "too_large" }
  /** Too much is being read at once. */
  | { kind: "crowded_out" }
  | { kind: "interrupted" };

/** Whether the sender itself says that the body is above the limit: no need to read it. */
export function announcesTooMuch(contentLength: string | undefined, maxBytes: number): boolean {
  return contentLength !== undefined && Number(contentLength) > maxBytes;
}

interface Reading {
  /** In memory, with what its chunks cost. */
  heldBytes: number;
  settle: (result: BodyResult) => void;
}

function join(chunks: Buffer[] = []): Buffer {
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

export interface BodyLimits {
  /** Of one body. */
  maxBytes: number;
  /** Being read at once. */
  maxCount: number;
  /** Of all bodies; one of the largest always fits. */
  budgetBytes?: number;
}

export class BodyReader {
  readonly #maxBytes: number;
  readonly #maxCount: number;
  readonly #budgetBytes: number;
  readonly #underWay = new Set<Reading>();
  #heldBytes = 0;

  constructor({ maxBytes, maxCount, budgetBytes = Math.max(MIN_BUDGET_BYTES, 2 * maxBytes) }: BodyLimits) {
    this.#maxBytes = maxBytes;
    this.#maxCount = maxCount;
    this.#budgetBytes = budgetBytes;
  }

  /** What is held now, for tests. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  read(incoming: IncomingMessage, outgoing: ServerResponse): Promise<BodyResult> {
    // Its sender left while something else was waited for: nothing more would come of it, not even an end.
    if (incoming.destroyed) return Promise.resolve({ kind: "interrupted" });
    const waitsForContinue = incoming.headers.expect !== undefined && incoming.httpVersion === "1.1";
    // RFC 9110, 10.1.1. Only now, so that who is refused before does not send the body.
    if (waitsForContinue) outgoing.writeContinue();
    return new Promise((resolve) => {
      // Nearly always of one.
      let chunks: Buffer[] | undefined;
      let size = 0;
      const settle = (result: BodyResult) => {
        // The end of a whole body is followed by a "close".
        if (!this.#underWay.delete(reading)) return;
        chunks = undefined;
        if (result.kind !== "complete") {
          // Of a whole body nothing comes any more, and its listeners end with it.
          incoming.off("data", onData).off("end", onEnd).off("error", onInterrupted).off("close", onInterrupted);
          this.#heldBytes -= reading.heldBytes;
        }
        resolve(result);
      };
      const reading: Reading = { heldBytes: 0, settle };
      const onData = (chunk: Buffer) => {
        size += chunk.length;
        if (size > this.#maxBytes) {
          settle({ kind: "too_large" });
          return;
        }
        if (chunks === undefined) chunks = [chunk];
        else chunks.push(chunk);
        reading.heldBytes += chunk.length + CHUNK_OVERHEAD_BYTES;
        this.#heldBytes += chunk.length + CHUNK_OVERHEAD_BYTES;
        if (this.#heldBytes > this.#budgetBytes) this.#crowdOutLargest();
      };
      const onEnd = () => settle({ kind: "complete", body: join(chunks), heldBytes: reading.heldBytes });
      const onInterrupted = () => settle({ kind: "interrupted" });
      this.#underWay.add(reading);
      if (this.#underWay.size > this.#maxCount) this.#crowdOutOldest();
      incoming.on("data", onData).on("end", onEnd).on("error", onInterrupted).on("close", onInterrupted);
    });
  }

  /** Of a body that is complete, once. */
  release({ heldBytes }: { heldBytes: number }): void {
    this.#heldBytes -= heldBytes;
  }

  /** Not the latest: a webhook is here at once and whole, and what has been on its way for longest is not one. */
  #crowdOutOldest(): void {
    const [oldest] = this.#underWay;
    oldest?.settle({ kind: "crowded_out" });
  }

  /** Not the latest: whoever fills the memory with large bodies must not keep out a small one, as webhooks are. */
  #crowdOutLargest(): void {
    let largest: Reading | undefined;
    for (const reading of this.#underWay) {
      if (largest === undefined || reading.heldBytes > largest.heldBytes) largest = reading;
    }
    largest?.settle({ kind: "crowded_out" });
  }
}
