// Counts the connections to targets, also those that are idle, because each of them takes a file descriptor. With
// thousands of origins, the idle ones alone could take all that the process may have.

import type { buildConnector } from "undici";

export class OpenSockets {
  readonly #keptAtMost: number;
  #count = 0;

  /** @param keptAtMost with more connections than this, a connection ends with its request. */
  constructor(keptAtMost: number) {
    this.#keptAtMost = keptAtMost;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether the connection of a request that is sent now may stay open after it. */
  get mayKeep(): boolean {
    return this.#count <= this.#keptAtMost;
  }

  /** The same connector, whose connections are counted from the beginning of the connecting to their end. */
  watch(connect: buildConnector.connector): buildConnector.connector {
    return (options, callback) => {
      this.#count += 1;
      connect(options, (...[error, socket]) => {
        if (error !== null) {
          this.#count -= 1;
          callback(error, null);
          return;
        }
        socket.once("close", () => (this.#count -= 1));
        callback(null, socket);
      });
    };
  }
}
