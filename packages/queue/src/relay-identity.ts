// The identity of this relay, which its database holds. Several relays may share one Redis: the identity is in the name
// of every key, so that none touches the jobs of another.

import { SluiceError } from "@sluice/shared/runtime/errors";

/** The queues open before the database has answered. No job goes to Redis or comes from there until this is settled. */
export class RelayIdentity {
  readonly #known = Promise.withResolvers<string>();
  #id: string | undefined;

  /** Undefined until it is known. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Never rejects. Stays pending when the process ends before it was known. */
  get known(): Promise<string> {
    return this.#known.promise;
  }

  /**
   * @param id a UUID.
   * @throws SluiceError `relay_changed` when another identity is in use already.
   */
  settle(id: string): void {
    if (this.#id !== undefined && this.#id !== id) {
      throw new SluiceError(
        "relay_changed",
        "The database holds another relay than the snapshot in DATA_DIR, with which this gateway began; start it again",
      );
    }
    this.#id = id;
    this.#known.resolve(id);
  }
}

/**
 * The beginning of all keys of a relay in Redis. Redis Cluster hashes the part in braces alone, so that all keys of a
 * relay are on one node: BullMQ's scripts touch several keys at once.
 */
export function redisPrefix(id: string): string {
  return `{sluice:${id}}`;
}
