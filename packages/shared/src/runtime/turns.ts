// Runs work of many callers one after another, in the order of their calls, so that all of it together takes no more of a store
// or of the processor than one caller does.

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** @returns what the work returns. It starts when all earlier work has ended, also when that failed. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
