// The clock of the simulator. It follows real time or stands still, can be set, and runs what is due in the order of time.
// A clock that is moved does not skip anything: what becomes due on the way runs at its own time, with its consequences.

export interface SimulatorClockOptions {
  /** The time at the start, in milliseconds since 1970; the real time when not given. */
  startMs?: number;
  /** Time passes only by {@link SimulatorClock.advance} and {@link SimulatorClock.set}. */
  isStanding?: boolean;
}

interface Timer {
  dueMs: number;
  run: () => void | Promise<void>;
}

/** The longest time that `setTimeout` can wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export class SimulatorClock {
  readonly #isStanding: boolean;
  /** What is added to real time, or to 0 when the clock stands. */
  #aheadMs = 0;
  /** The latest first, so that the next timer is taken off the end. */
  readonly #timers: Timer[] = [];
  readonly #running = new Set<Promise<void>>();
  #moves: Promise<void> = Promise.resolve();
  #alarm: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor({ startMs = Date.now(), isStanding = false }: SimulatorClockOptions = {}) {
    this.#isStanding = isStanding;
    this.#aheadMs = startMs - this.#realMs();
  }

  /** Milliseconds since 1970. */
  nowMs(): number {
    return this.#realMs() + this.#aheadMs;
  }

  /** Runs at a time; at once when this time is past, also on a clock that stands. */
  schedule(dueMs: number, run: Timer["run"]): void {
    if (this.#isStopped) return;
    const timer = { dueMs, run };
    if (dueMs <= this.nowMs()) {
      this.#start(timer);
      return;
    }
    this.#timers.splice(this.#placeOf(dueMs), 0, timer);
    this.#setAlarm();
  }

  /**
   * Moves the clock forward. Everything that becomes due on the way has run when the promise is fulfilled, such as every
   * retry within this time.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`advance: ${ms} is not a number of milliseconds from 0`);
    const move = this.#moves.then(() => this.#moveTo(this.nowMs() + ms));
    this.#moves = move;
    await move;
  }

  /** Sets the clock, as {@link advance} when the time is later. An earlier time only lets everything wait for longer. */
  async set(ms: number): Promise<void> {
    if (!Number.isFinite(ms)) throw new RangeError(`set: ${ms} is not a time in milliseconds since 1970`);
    const move = this.#moves.then(() => this.#moveTo(ms));
    this.#moves = move;
    await move;
  }

  /** Waits for everything that runs now. Does not wait for what is due later. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  /** Drops everything that is due later, and waits for what runs. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timers.length = 0;
    clearTimeout(this.#alarm);
    await this.settle();
  }

  async #moveTo(targetMs: number): Promise<void> {
    for (;;) {
      // A failed attempt schedules its retry when it ends, so time stands still until then. While a clock runs, what
      // others start meanwhile is not waited for: under load there is always something.
      await (this.#isStanding ? this.settle() : Promise.allSettled(this.#running));
      const next = this.#timers.at(-1);
      if (next === undefined || next.dueMs > targetMs) break;
      this.#jumpTo(Math.max(next.dueMs, this.nowMs()));
      this.#runDue();
    }
    this.#jumpTo(targetMs);
    this.#setAlarm();
  }

  #jumpTo(ms: number): void {
    this.#aheadMs = ms - this.#realMs();
  }

  #runDue(): void {
    const nowMs = this.nowMs();
    for (let next = this.#timers.at(-1); next !== undefined && next.dueMs <= nowMs; next = this.#timers.at(-1)) {
      this.#timers.pop();
      this.#start(next);
    }
  }

  #start({ run }: Timer): void {
    const running = (async () => run())();
    this.#running.add(running);
    // A timer that throws is a defect of the simulator, and ends the process as an unhandled rejection.
    void running.finally(() => this.#running.delete(running));
  }

  #setAlarm(): void {
    const next = this.#timers.at(-1);
    clearTimeout(this.#alarm);
    if (this.#isStanding || this.#isStopped || next === undefined) return;
    const waitMs = Math.min(Math.max(0, next.dueMs - this.nowMs()), MAX_TIMEOUT_MS);
    this.#alarm = setTimeout(() => {
      this.#runDue();
      this.#setAlarm();
    }, waitMs);
  }

  /** Where a timer belongs. Among equal times, the one that was scheduled first runs first. */
  #placeOf(dueMs: number): number {
    let [low, high] = [0, this.#timers.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#timers[middle]?.dueMs ?? 0) > dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #realMs(): number {
    return this.#isStanding ? 0 : Date.now();
  }
}
