// Bounds the requests that this worker has in flight over all lanes. Each of them needs a file descriptor, and
// thousands of targets with sixty requests each would need more than a process may have. Lanes that wait for a slot get
// one each in turn, so that a target with a long backlog does not keep a short one waiting.

/** After a fault of this worker: time in which sockets close and other workers take what is due. */
const PAUSE_MS = 1_000;
/** Even a worker in trouble tries so many requests at once. */
const LEAST = 4;

type Flow =
  | { kind: "open" }
  /** This worker could not send. No slot is given until the timer ends the pause. */
  | { kind: "paused"; timer: NodeJS.Timeout };

export class RequestSlots {
  readonly #most: number;
  /** At most `#most`. It shrinks with a fault of this worker, and grows again with each request that was sent. */
  #limit: number;
  #taken = 0;
  #flow: Flow = { kind: "open" };
  /** The lanes that wait, in the order of their turns. */
  readonly #waiting = new Set<() => void>();
  /** The lane whose turn it is. It may take one slot before the others. */
  #turn: (() => void) | undefined;

  /** @param most the requests in flight at once, at least 1. */
  constructor(most: number) {
    this.#most = most;
    this.#limit = most;
  }

  get taken(): number {
    return this.#taken;
  }

  /** False after a fault of this worker: what is claimed now could not be sent. */
  get isOpen(): boolean {
    return this.#flow.kind === "open";
  }

  /**
   * Takes a slot, which MUST be given back.
   * @param resume identifies the lane. It is called once when the lane may try again, if there is no slot for it now.
   */
  tryTake(resume: () => void): boolean {
    const isItsTurn = this.#turn === resume || (this.#turn === undefined && this.#waiting.size === 0);
    if (!this.#hasFree() || !isItsTurn) {
      this.#waiting.add(resume);
      return false;
    }
    if (this.#waiting.size > 0) this.#turn = undefined;
    this.#taken += 1;
    return true;
  }

  /** Takes a slot also when there is none: for a request that a person waits for. It MUST be given back. */
  take(): void {
    this.#taken += 1;
  }

  /** The request was sent, whatever came of it. */
  giveBack(): void {
    this.#taken -= 1;
    if (this.#limit < this.#most) this.#limit += 1;
    this.#resumeWaiting();
  }

  /** This worker itself could not send the request: it now sends fewer at once, after a pause. */
  giveBackUnsent(): void {
    this.#taken -= 1;
    // One pause and one cut for all requests that fail together.
    if (this.#flow.kind === "paused") return;
    this.#limit = Math.min(this.#most, Math.max(LEAST, Math.floor((this.#taken + 1) / 2)));
    this.#flow = { kind: "paused", timer: setTimeout(() => this.#endPause(), PAUSE_MS) };
  }

  /** Calls back once, when the slots are open again. */
  onceOpen(resume: () => void): void {
    this.#waiting.add(resume);
  }

  /** Ends the pause for good: at a stop no lane waits any more. */
  close(): void {
    if (this.#flow.kind === "paused") clearTimeout(this.#flow.timer);
    this.#flow = { kind: "open" };
  }

  #endPause(): void {
    this.#flow = { kind: "open" };
    this.#resumeWaiting();
  }

  #hasFree(): boolean {
    return this.#flow.kind === "open" && this.#taken < this.#limit;
  }

  /** One slot for each lane in turn, as long as there are both. A lane without need takes none. */
  #resumeWaiting(): void {
    // A lane that is resumed may give back a slot itself.
    if (this.#turn !== undefined) return;
    for (const resume of this.#waiting) {
      if (!this.#hasFree()) return;
      this.#waiting.delete(resume);
      this.#turn = resume;
      resume();
      this.#turn = undefined;
    }
  }
}
