// The memory that the bodies of all requests may take until they are judged. Without this limit, many senders with large
// bodies could fill the memory of the gateway.

/** 64 bodies of the default MAX_BODY_BYTES, or thousands of bodies of the size that Gemini sends. */
const MIN_BUDGET_BYTES = 64 * 1024 * 1024;

/** The budget of a gateway. A body of `maxBodyBytes` fits in beside another one. */
export function chooseBodyBudget(maxBodyBytes: number): BodyBudget {
  return new BodyBudget(Math.max(MIN_BUDGET_BYTES, 2 * maxBodyBytes));
}

export class BodyBudget {
  readonly maxBytes: number;
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
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
