// Limits the work of one filter on one event. Whatever reads or makes values pays in steps, so that no expression and no
// event keeps a process from its other work: docs/decisions/0035-filters-pay-for-all-they-read.md.

/**
 * An error on one event. CEL's `a || b` and `exists` can have a result all the same, when another operand decides. An
 * operator or function throws it, and the node around makes it a value (step.ts). It is no `Error`: writing down the stack
 * takes ten times as long as the rest of a failure.
 */
export class EvaluationFailure {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** The meter is used up. This MUST end the evaluation, so no node catches it. */
class OutOfSteps extends Error {}

/** A step stands for at most 100 ns of work on the machine of bench/README.md, so all of them for some 10 ms. */
const MAX_STEPS = 100_000;
/** Throwing a failure and catching it in the node takes as long as so many nodes. */
const STEPS_PER_FAILURE = 20;
/** Copying and comparing texts. V8 does this with the processor's widest instructions, or at a nanosecond each. */
const COPIED_PER_STEP = 64;
/** Searching a text. In the worst case, where each character begins like the part, V8 takes 12 ns for one. */
const SEARCHED_PER_STEP = 12;
/** Reading a text character by character in JavaScript. */
const SCANNED_PER_STEP = 4;

/** The work that one filter may still do on one event. */
export class Meter {
  /** Whether a map of the event may have so many keys that listing them takes too long. */
  readonly hasManyFields: boolean;
  #left = MAX_STEPS;

  constructor(hasManyFields = false) {
    this.hasManyFields = hasManyFields;
  }

  get spent(): number {
    return MAX_STEPS - this.#left;
  }

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new OutOfSteps(`needs more than ${MAX_STEPS} steps on this event`);
  }

  spendCopy(characters: number): void {
    this.spend(Math.floor(characters / COPIED_PER_STEP));
  }

  spendSearch(characters: number): void {
    this.spend(Math.floor(characters / SEARCHED_PER_STEP));
  }

  spendScan(characters: number): void {
    this.spend(Math.floor(characters / SCANNED_PER_STEP));
  }

  /** @returns an error for the caller to throw, and spends the steps for it. */
  fail(message: string): EvaluationFailure {
    this.spend(STEPS_PER_FAILURE);
    return new EvaluationFailure(message);
  }
}
