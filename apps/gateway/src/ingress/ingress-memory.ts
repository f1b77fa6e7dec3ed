// Counts the memory that the bodies of all requests take until they are judged. Without its limit, many senders with large
// bodies could fill the memory of the gateway.

/** 64 bodies of the default MAX_BODY_BYTES, or thousands of bodies of the size that Gemini sends. */
const MIN_LIMIT_BYTES = 64 * 1024 * 1024;

/** A body of `maxBodyBytes` always fits in beside another one. */
export function limitIngressMemory(maxBodyBytes: number): IngressMemory {
  return new IngressMemory(Math.max(MIN_LIMIT_BYTES, 2 * maxBodyBytes));
}

export class IngressMemory {
  readonly limitBytes: number;
  #heldBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** The bytes that bodies take now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  hold(bytes: number): void {
    this.#heldBytes += bytes;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}
