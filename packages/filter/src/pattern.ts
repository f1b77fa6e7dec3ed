// The pattern of `matches`, in RE2's syntax as CEL has it, and in time linear in the text: JavaScript's own regular
// expressions backtrack, and one event could stop a worker for hours.

import type { ASTNode } from "@marcbachmann/cel-js";
import { RE2JS } from "re2js";

import { EvaluationFault, type Meter } from "./values.ts";

const MAX_PATTERN_LENGTH = 256;
/** Instructions. Repetition multiplies them: `(a{30}){30}` has 900. */
const MAX_PROGRAM_SIZE = 1_000;
/** Characters times instructions, where the engine has to simulate them all. */
const SIMULATED_PER_STEP = 4;

/** @throws EvaluationFault for what is not a pattern, or too large a one. */
export function compilePattern(pattern: string, node: ASTNode): (text: string, meter: Meter) => boolean {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new EvaluationFault(`a pattern must have at most ${MAX_PATTERN_LENGTH} characters`, node);
  }
  const compiled = readPattern(pattern, node);
  const size = compiled.programSize();
  if (size > MAX_PROGRAM_SIZE) throw new EvaluationFault("the pattern repeats too much", node);
  return (text, meter) => {
    meter.spend(Math.ceil((text.length * size) / SIMULATED_PER_STEP));
    return compiled.test(text);
  };
}

function readPattern(pattern: string, node: ASTNode): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new EvaluationFault(`not a pattern of RE2: ${error instanceof Error ? error.message : String(error)}`, node);
  }
}
