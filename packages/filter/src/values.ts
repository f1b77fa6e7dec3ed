// The values of filters: JSON as JSON.parse returns it, and CEL's int as a bigint. Nothing here trusts an event: only own
// keys count, depth is limited, and a meter limits the work.

import type { ASTNode } from "@marcbachmann/cel-js";

/** An error on one event. CEL's `a || b` and `exists` can have a result all the same, when another operand decides. */
export class EvaluationFailure extends Error {}

/** The meter is used up. This MUST end the evaluation, so no operator catches it. */
class OutOfSteps extends Error {}

/** A fault in the filter itself, found while it is compiled. `offset` is in UTF-16 units. */
export class EvaluationFault extends Error {
  readonly offset: number;

  constructor(message: string, node: ASTNode, offset = node.start) {
    super(message);
    this.offset = offset;
  }
}

/** Each evaluation of a node costs a step. So does each entry that is compared, and each piece of text that is read. */
const MAX_STEPS = 100_000;
/** Creating an `Error` takes as long as evaluating so many nodes. */
const STEPS_PER_FAILURE = 20;
const CHARACTERS_PER_STEP = 64;
/** Comparing values needs a call on the stack for each level, so deeper values are not compared. */
const MAX_DEPTH = 64;

/** The work that one filter may still do on one event. */
export class Meter {
  #left = MAX_STEPS;

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new OutOfSteps(`needs more than ${MAX_STEPS} steps on this event`);
  }

  spendText(characters: number): void {
    this.spend(Math.floor(characters / CHARACTERS_PER_STEP));
  }

  /** @returns an error for the caller to throw, and spends the steps for it. */
  fail(message: string): EvaluationFailure {
    this.spend(STEPS_PER_FAILURE);
    return new EvaluationFailure(message);
  }
}

export function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

/** Whether the value is an object in JSON. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @returns the name of the value's type in CEL. */
export function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "double";
  return typeof value === "string" ? "string" : "map";
}

const MIN_INT = -(2n ** 63n);
const MAX_INT = 2n ** 63n - 1n;

/** Whether the value fits into CEL's int of 64 bits. */
export const isInt = (value: bigint): boolean => value >= MIN_INT && value <= MAX_INT;

export function toInt(value: bigint, meter: Meter): bigint {
  if (isInt(value)) return value;
  throw meter.fail("int overflow");
}

/** Checks that a value is a string, and pays for reading it from its start to its end. */
export function readText(value: unknown, meter: Meter): string {
  if (typeof value !== "string") throw meter.fail(`expected a string and got a ${typeName(value)}`);
  meter.spendText(value.length);
  return value;
}

/** Compares deeply. An int and a double can be equal. Other values of different types never are. */
export function celEquals(a: unknown, b: unknown, meter: Meter, depth = 0): boolean {
  meter.spend(1);
  if (depth > MAX_DEPTH) throw meter.fail(`values nested deeper than ${MAX_DEPTH} are not compared`);
  // oxlint-disable-next-line eqeqeq -- a bigint and a number are equal when their exact values are.
  if (isNumber(a) && isNumber(b)) return a == b;
  if (typeof a === "string" && typeof b === "string") {
    if (a.length === b.length) meter.spendText(a.length);
    return a === b;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => celEquals(item, b[index], meter, depth + 1));
  }
  if (isMap(a) && isMap(b)) {
    const keys = keysOf(a, meter);
    return (
      keys.length === keysOf(b, meter).length &&
      keys.every((key) => Object.hasOwn(b, key) && celEquals(a[key], b[key], meter, depth + 1))
    );
  }
  return a === b;
}

export function keysOf(map: Record<string, unknown>, meter: Meter): string[] {
  const keys = Object.keys(map);
  meter.spend(keys.length);
  return keys;
}

/** The result of CEL's operator `in`. */
export function isIn(value: unknown, container: unknown, meter: Meter): boolean {
  if (Array.isArray(container)) return container.some((item) => celEquals(item, value, meter));
  if (isMap(container)) return typeof value === "string" && Object.hasOwn(container, value);
  throw meter.fail(`"in" needs a list or a map and got a ${typeName(container)}`);
}

/** @returns the field of a map by its name, or the item of a list by its index. */
export function access(container: unknown, key: unknown, meter: Meter): unknown {
  if (isMap(container) && typeof key === "string") {
    if (Object.hasOwn(container, key)) return container[key];
    throw meter.fail(`no such key: ${JSON.stringify(key.slice(0, 100))}`);
  }
  if (Array.isArray(container) && isNumber(key)) {
    const index = Number(key);
    if (Number.isInteger(index) && index >= 0 && index < container.length) return container[index];
    throw meter.fail(`no item ${index} in a list of length ${container.length}`);
  }
  throw meter.fail(`a ${typeName(container)} has no ${typeof key === "string" ? "fields" : "items"}`);
}
