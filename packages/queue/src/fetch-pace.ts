// How many jobs a consumer handles at once: one while jobs are few, and many while they queue up. BullMQ asks for another
// job as soon as it has one, unless all places are taken. While jobs are few there is none, and each of these questions
// costs Redis and the worker as much as a job.

/** So many jobs without a pause between them are a queue. */
const QUEUED_JOBS = 3;

export class FetchPace {
  #most: number;
  readonly #apply: (jobs: number) => void;
  #inARow = 0;
  #inHand = 0;

  /** @param apply sets the number of jobs at once. */
  constructor(most: number, apply: (jobs: number) => void) {
    this.#most = most;
    this.#apply = apply;
  }

  get concurrency(): number {
    return this.#inARow < QUEUED_JOBS ? 1 : this.#most;
  }

  setMost(jobs: number): void {
    this.#most = jobs;
    this.#apply(this.concurrency);
  }

  begin(): void {
    this.#inHand += 1;
    this.#inARow += 1;
    if (this.#inARow === QUEUED_JOBS) this.#apply(this.concurrency);
  }

  end(): void {
    this.#inHand -= 1;
  }

  /** The queue had no further job. With jobs still in hand it only had none at this moment. */
  noteEmpty(): void {
    if (this.#inHand > 0) return;
    this.#inARow = 0;
    this.#apply(this.concurrency);
  }
}
