// Runs work that many callers ask for, such as a look at PostgreSQL, one run at a time. A caller always gets a run that
// starts after its call, because an earlier run may have looked too early. Callers that wait for the same run share it,
// so while the work hangs, at most one run is under way and one is waiting.

export class FreshRuns {
  readonly #work: () => Promise<void>;
  #running: Promise<void> | undefined;
  /** The run that starts when the current one has ended. */
  #next: Promise<void> | undefined;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Resolves at the end of a run that starts after this call. Rejects when this run fails. */
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

  /** Resolves when every run that was asked for before this call has ended, also when it failed. */
  async ended(): Promise<void> {
    await (this.#next ?? this.#running)?.catch(() => undefined);
  }
}
