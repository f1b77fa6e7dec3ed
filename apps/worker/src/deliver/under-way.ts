// Work that nobody awaits while it runs, and the wait for all of it at a stop.

export class UnderWay {
  #count = 0;
  #idle: PromiseWithResolvers<void> | undefined;

  get isIdle(): boolean {
    return this.#count === 0;
  }

  /** @param work never rejects. */
  track(work: Promise<void>): void {
    this.#count += 1;
    void work.then(this.#onEnd);
  }

  /** Resolves when nothing is under way. */
  async end(): Promise<void> {
    while (this.#count > 0) await (this.#idle ??= Promise.withResolvers<void>()).promise;
  }

  readonly #onEnd = (): void => {
    this.#count -= 1;
    if (this.#count > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  };
}
