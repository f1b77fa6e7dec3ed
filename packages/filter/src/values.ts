// The values that a filter computes with: JSON as it was parsed, and CEL's int as a bigint. Nothing here trusts an
// event: keys are own keys only, depth is bounded, and the work is paid for step by step.

import type { ASTNode } from "@marcbachmann/cel-js";

/** Something that went wrong on one event. `a || b` and `exists` may do without it, as CEL has it. */
export class Failure extends Error {}

/** MUST end the evaluation: no operator may do without it. */
class OutOfSteps extends Error {}

/** Raised while a filter is compiled. `offset` is in UTF-16 units. */
export class EvaluationFault extends Error {
  readonly offset: number;

  constructor(message: string, node: ASTNode, offset = node.start) {
    super(message);
    this.offset = offset;
  }
}

/** A node of an expression costs a step each time; so does an entry that is looked at, and each stretch of text. */
const MAX_STEPS = 100_000;
/** An `Error` takes as long as so many nodes. */
const STEPS_PER_FAILURE = 20;
const CHARACTERS_PER_STEP = 64;
/** Two values that are nested deeper are not compared: each level is a call on the stack. */
const MAX_DEPTH = 64;

export class Meter {
  #left = MAX_STEPS;

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new OutOfSteps(`needs more than ${MAX_STEPS} steps on this event`);
  }

  spendText(characters: number): void {
    this.spend(Math.floor(characters / CHARACTERS_PER_STEP));
  }

  fail(message: string): Failure {
    this.spend(STEPS_PER_FAILURE);
    return new Failure(message);
  }
}

export function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

/** JSON's object. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** As CEL calls it. */
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

/** Whether it fits CEL's int of 64 bits. */
export const isInt = (value: bigint): boolean => value >= MIN_INT && value <= MAX_INT;

export function toInt(value: bigint, meter: Meter): bigint {
  if (isInt(value)) return value;
  throw meter.fail("int overflow");
}

/** A string that is about to be read from its start to its end. */
export function readText(value: unknown, meter: Meter): string {
  if (typeof value !== "string") throw meter.fail(`expected a string and got a ${typeName(value)}`);
  meter.spendText(value.length);
  return value;
}

/** Deep, and across int and double. Values of different types are not equal. */
export function celEquals(a: unknown, b: unknown, meter: Meter, depth = 0): boolean {
  meter.spend(1);
  if (depth > MAX_DEPTH) throw meter.fail(`values nested deeper than ${MAX_DEPTH} are not compared`);
  // oxlint-disable-next-line eqeqeq -- an int and a double are equal when their values are, exactly.
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

/** What `in` says. */
export function isIn(value: unknown, container: unknown, meter: Meter): boolean {
  if (Array.isArray(container)) return container.some((item) => celEquals(item, value, meter));
  if (isMap(container)) return typeof value === "string" && Object.hasOwn(container, value);
  throw meter.fail(`"in" takes a list or a map, and this is a ${typeName(container)}`);
}

/** A field of a map, or an item of a list by its number. */
export function access(container: unknown, key: unknown, meter: Meter): unknown {
  if (isMap(container) && typeof key === "string") {
    if (Object.hasOwn(container, key)) return container[key];
    throw meter.fail(`no such key: ${JSON.stringify(key.slice(0, 100))}`);
  }
  if (Array.isArray(container) && isNumber(key)) {
    const index = Number(key);
    if (Number.isInteger(index) && index >= 0 && index < container.length) return container[index];
    throw meter.fail(`no item ${index} in a list of ${container.length}`);
  }
  throw meter.fail(`a ${typeName(container)} has no ${typeof key === "string" ? "fields" : "items"}`);
}
