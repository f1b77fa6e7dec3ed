// Compiles the pattern of `matches()`. CEL uses the syntax of RE2, which needs time linear in the text. JavaScript's own
// regular expressions backtrack, and one event could stop a worker for hours.

import type { ASTNode } from "@marcbachmann/cel-js";
import { RE2JS } from "re2js";

import { EvaluationFault, type Meter } from "./values.ts";

const MAX_PATTERN_LENGTH = 256;
/** The limit of RE2 instructions. Repetition multiplies them: `(a{30}){30}` has 900. */
const MAX_PROGRAM_SIZE = 1_000;
/** In the worst case the engine simulates each instruction for each character. One step pays for so many of these. */
const SIMULATED_PER_STEP = 4;

/** @throws EvaluationFault when the text is not a pattern, or the pattern is too large. */
export function compilePattern(pattern: string, node: ASTNode): (text: string, meter: Meter) => boolean {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new EvaluationFault(`a pattern must have at most ${MAX_PATTERN_LENGTH} characters`, node);
  }
  const compiled = readPattern(pattern, node);
  const size = compiled.programSize();
  if (size > MAX_PROGRAM_SIZE) throw new EvaluationFault("the pattern has too many repetitions", node);
  return (text, meter) => {
    meter.spend(Math.ceil((text.length * size) / SIMULATED_PER_STEP));
    return compiled.test(text);
  };
}

function readPattern(pattern: string, node: ASTNode): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new EvaluationFault(
      `the pattern is not valid in RE2: ${error instanceof Error ? error.message : String(error)}`,
      node,
    );
  }
}
