// Reads bodies as raw bytes, within three limits. The first is for each body, counted while it arrives, whatever its
// Content-Length says. The second is the memory of all bodies until they are judged. The third is the number of bodies
// that are being read, because anybody can begin a request.

import type { IncomingMessage, ServerResponse } from "node:http";

import type { IngressMemory } from "./ingress-memory.ts";

/** The memory for a Buffer object beside its bytes. A body in chunks of one byte consists mostly of this. */
const CHUNK_OVERHEAD_BYTES = 256;

export type BodyResult =
  /** The body counts in the memory of the ingress until the caller releases it. */
  | { kind: "complete"; body: Buffer; heldBytes: number }
  | { kind: "too_large" }
  /** The gateway is reading too many bytes or too many bodies at once. */
  | { kind: "crowded_out" }
  | { kind: "interrupted" };

/** Whether the sender itself says that the body is above the limit, so that there is no need to read it. */
export function announcesTooMuch(contentLength: string | undefined, maxBytes: number): boolean {
  return contentLength !== undefined && Number(contentLength) > maxBytes;
}

export interface BodyLimits {
  /** The limit of one body. */
  maxBytes: number;
  /** How many bodies may be read at once. */
  maxCount: number;
  /** The limit of all bodies together. */
  memory: IngressMemory;
}

/** A body that is being read. */
interface BodyReading {
  /** The bytes of its chunks so far, with their overhead. */
  heldBytes: number;
  end: (result: BodyResult) => void;
}

export class BodyReader {
  readonly #maxBytes: number;
  readonly #maxCount: number;
  readonly #memory: IngressMemory;
  /** The oldest first. */
  readonly #readings = new Set<BodyReading>();

  constructor({ maxBytes, maxCount, memory }: BodyLimits) {
    this.#maxBytes = maxBytes;
    this.#maxCount = maxCount;
    this.#memory = memory;
  }

  read(incoming: IncomingMessage, outgoing: ServerResponse): Promise<BodyResult> {
    // The sender left before its body was needed. No event of the stream would follow, not even its end.
    if (incoming.destroyed) return Promise.resolve({ kind: "interrupted" });
    // RFC 9110, 10.1.1: the sender waits for this before it sends the body. Requests that were refused earlier never get
    // here, so their senders do not send a body.
    const expectsContinue = incoming.headers.expect !== undefined && incoming.httpVersion === "1.1";
    if (expectsContinue) outgoing.writeContinue();
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const end = (result: BodyResult) => {
        // Several events can end a reading, such as "end" and the "close" after it. The first one decides.
        if (!this.#readings.delete(reading)) return;
        // The listeners of a complete body stay until its request is answered, and must not keep the chunks in memory.
        chunks.length = 0;
        if (result.kind !== "complete") {
          incoming.off("data", onData).off("end", onEnd).off("error", onInterrupted).off("close", onInterrupted);
          this.#memory.release(reading.heldBytes);
        }
        resolve(result);
      };
      const reading: BodyReading = { heldBytes: 0, end };
      const onData = (chunk: Buffer) => {
        size += chunk.length;
        if (size > this.#maxBytes) {
          end({ kind: "too_large" });
          return;
        }
        chunks.push(chunk);
        const bytes = chunk.length + CHUNK_OVERHEAD_BYTES;
        reading.heldBytes += bytes;
        this.#memory.hold(bytes);
        if (this.#memory.heldBytes > this.#memory.limitBytes) this.#crowdOutLargest();
      };
      const onEnd = () => end({ kind: "complete", body: joinChunks(chunks), heldBytes: reading.heldBytes });
      const onInterrupted = () => end({ kind: "interrupted" });
      this.#readings.add(reading);
      if (this.#readings.size > this.#maxCount) this.#crowdOutOldest();
      incoming.on("data", onData).on("end", onEnd).on("error", onInterrupted).on("close", onInterrupted);
    });
  }

  /** Gives back the memory of a complete body. MUST be called once for each. */
  release({ heldBytes }: { heldBytes: number }): void {
    this.#memory.release(heldBytes);
  }

  /** Not the newest: a webhook arrives at once and whole, so the body that takes longest is not from a real sender. */
  #crowdOutOldest(): void {
    const [oldest] = this.#readings;
    oldest?.end({ kind: "crowded_out" });
  }

  /** Not the newest: a sender that fills the memory with large bodies must not keep out small ones, as webhooks are. */
  #crowdOutLargest(): void {
    let largest: BodyReading | undefined;
    for (const reading of this.#readings) {
      if (largest === undefined || reading.heldBytes > largest.heldBytes) largest = reading;
    }
    largest?.end({ kind: "crowded_out" });
  }
}

/** Nearly every body arrives in one chunk, which needs no copy. */
function joinChunks(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks;
  return first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks);
}
