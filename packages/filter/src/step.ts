// A compiled piece of a filter, and what its pieces share: the frame they work on, and CEL's logic of failures.

import type { ASTNode } from "@marcbachmann/cel-js";

import { Failure, type Meter, typeName } from "./values.ts";

/** What one evaluation works on: `event`, `source`, and the variables of the macros that are under way. */
export interface Frame {
  slots: unknown[];
  meter: Meter;
}

export type EvaluationStep = (frame: Frame) => unknown;

/** In which slot a name is. */
export type Names = ReadonlyMap<string, number>;

/** @throws Fault for what the library parses and filters do not have. */
export type Compile = (node: ASTNode, names: Names) => EvaluationStep;

export function toBool(value: unknown, meter: Meter): boolean {
  if (typeof value === "boolean") return value;
  throw meter.fail(`expected a bool and got a ${typeName(value)}`);
}

/**
 * CEL's `||`, `&&`, `exists` and `all`: where one item decides the result, failures of the others do not matter.
 * @param decisive the value that decides.
 */
export function decide<T>(items: readonly T[], decisive: boolean, test: (item: T) => boolean): boolean {
  let failure: Failure | undefined;
  for (const item of items) {
    try {
      if (test(item) === decisive) return decisive;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return !decisive;
}
