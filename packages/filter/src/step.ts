// The compiled nodes of a filter are steps. This file has what the steps share: their frame, their scope, and CEL's logic of
// failures.

import type { ASTNode } from "@marcbachmann/cel-js";

import { EvaluationFailure, type Meter } from "./meter.ts";
import { typeName } from "./values.ts";

/** The data of one evaluation. */
export interface Frame {
  /** `event`, `source`, and the variables of the macros that are under way. */
  slots: unknown[];
  meter: Meter;
}

/**
 * Gives a value of CEL, or a failure, which each node MUST pass on unless it decides without that operand. Failures are
 * values between nodes: an exception takes microseconds for each node that it passes, and an event could cause thousands.
 */
export type EvaluationStep = (frame: Frame) => unknown;

/** What a node is compiled with. */
export interface FilterScope {
  /** The slot of each name. */
  slots: ReadonlyMap<string, number>;
  /** All patterns of the filter so far: their UTF-16 units and their RE2 instructions together. */
  patterns: { length: number; size: number };
}

/** @throws EvaluationFault when filters do not support something that the library parses. */
export type Compile = (node: ASTNode, scope: FilterScope) => EvaluationStep;

export function isFailure(value: unknown): value is EvaluationFailure {
  return value instanceof EvaluationFailure;
}

/** @returns the value of a condition, or why there is none. */
export function toBool(value: unknown, meter: Meter): boolean | EvaluationFailure {
  if (typeof value === "boolean" || isFailure(value)) return value;
  return meter.fail(`expected a bool and got a ${typeName(value)}`);
}

/** @returns the values of all steps in their order, or the first failure. */
export function evaluateAll(steps: readonly EvaluationStep[], frame: Frame): unknown[] | EvaluationFailure {
  const values: unknown[] = [];
  for (const step of steps) {
    const value = step(frame);
    if (isFailure(value)) return value;
    values.push(value);
  }
  return values;
}

/**
 * CEL's `||`, `&&`, `exists` and `all`. When one item decides the result, the failures of other items do not matter.
 * @param decisive the value that decides: true for `||` and `exists`, false for `&&` and `all`.
 */
export function decide<T>(
  items: readonly T[],
  decisive: boolean,
  test: (item: T) => boolean | EvaluationFailure,
): boolean | EvaluationFailure {
  let failure: EvaluationFailure | undefined;
  for (const item of items) {
    const result = test(item);
    if (result === decisive) return decisive;
    if (isFailure(result)) failure ??= result;
  }
  return failure ?? !decisive;
}
