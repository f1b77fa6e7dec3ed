// The compiled nodes of a filter are steps. This file has what the steps share: their frame, and CEL's logic of failures.

import type { ASTNode } from "@marcbachmann/cel-js";

import { EvaluationFailure, type Meter, typeName } from "./values.ts";

/** The data of one evaluation. */
export interface Frame {
  /** `event`, `source`, and the variables of the macros that are under way. */
  slots: unknown[];
  meter: Meter;
}

export type EvaluationStep = (frame: Frame) => unknown;

/** The slot of each name. */
export type Names = ReadonlyMap<string, number>;

/** @throws EvaluationFault when filters do not support something that the library parses. */
export type Compile = (node: ASTNode, names: Names) => EvaluationStep;

export function toBool(value: unknown, meter: Meter): boolean {
  if (typeof value === "boolean") return value;
  throw meter.fail(`expected a bool and got a ${typeName(value)}`);
}

/**
 * CEL's `||`, `&&`, `exists` and `all`. When one item decides the result, the failures of other items do not matter.
 * @param decisive the value that decides: true for `||` and `exists`, false for `&&` and `all`.
 */
export function decide<T>(items: readonly T[], decisive: boolean, test: (item: T) => boolean): boolean {
  let failure: EvaluationFailure | undefined;
  for (const item of items) {
    try {
      if (test(item) === decisive) return decisive;
    } catch (error) {
      if (!(error instanceof EvaluationFailure)) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return !decisive;
}
