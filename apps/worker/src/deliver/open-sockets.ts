// Counts the connections to targets, also those that are idle, because each of them takes a file descriptor. With
// thousands of origins, the idle ones alone could take all that the process may have.

import type { Socket } from "node:net";

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

  /**
   * Counts a connection for which no socket is open yet, so that requests of the same moment see each other.
   * @returns ends that; the second time it does nothing.
   */
  expectOne(): () => void {
    let isExpected = true;
    this.#count += 1;
    return () => {
      if (isExpected) this.#count -= 1;
      isExpected = false;
    };
  }

  /** Counts a socket until it is closed. MUST be called when it is opened: the connecting takes a descriptor too. */
  add(socket: Socket): void {
    this.#count += 1;
    socket.once("close", () => (this.#count -= 1));
  }
}
