// Work that many ask for, such as a look at what PostgreSQL has, done by one run at a time. A run that is under way may
// have looked before somebody asked, so who asks gets one that begins afterwards. It is for all who ask until it begins:
// however many do while the work hangs, one run is under way and one is to come.

export class FreshRuns {
  readonly #work: () => Promise<void>;
  #running: Promise<void> | undefined;
  /** Begins when the one that is under way has ended. */
  #next: Promise<void> | undefined;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Resolves at the end of a run that began after the call. @throws what that run throws. */
  next(): Promise<void> {
    return (this.#next ??= this.#run());
  }

  async #run(): Promise<void> {
    await this.#running?.catch(() => undefined);
    this.#next = undefined;
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  /** Resolves when what was asked for before the call has ended, in whichever way. */
  async ended(): Promise<void> {
    await (this.#next ?? this.#running)?.catch(() => undefined);
  }
}
