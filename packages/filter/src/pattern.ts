// Compiles `matches()`. CEL uses the syntax of RE2, which needs time linear in the text. JavaScript's own regular
// expressions backtrack, and one event could stop a worker for hours.

import type { ASTNode } from "@marcbachmann/cel-js";
import { RE2JS } from "re2js";

import { EvaluationFault, readQuoted } from "./fault.ts";
import type { Meter } from "./meter.ts";
import { estimateProgramSize } from "./pattern-size.ts";
import { type Compile, type EvaluationStep, isFailure, type FilterScope } from "./step.ts";
import { typeName } from "./values.ts";

const MAX_PATTERN_LENGTH = 256;
/** The limit of RE2 instructions. Repetition multiplies them: `(a{30}){30}` has 900. */
const MAX_PROGRAM_SIZE = 1_000;
/** The limits of all patterns of a filter. Compiling takes microseconds for an instruction, and more for classes. */
const MAX_TOTAL_LENGTH = 512;
const MAX_TOTAL_SIZE = 2_000;
/** In the worst case the engine simulates each instruction for each character. One step pays for so many of these. */
const SIMULATED_PER_STEP = 2;
/** The estimate is up to three times the size. It refuses what would take long to compile only to be refused then. */
const MAX_ESTIMATE = 3 * MAX_PROGRAM_SIZE;
const TOO_LARGE = "the patterns have too many repetitions";
/** Starting an engine takes as long as so many nodes. */
const STEPS_PER_MATCH = 10;

/** @throws EvaluationFault when the pattern is not a text in quotes, is not valid in RE2, or is too large. */
export function compileMatches(compile: Compile, node: ASTNode & { op: "rcall" }, scope: FilterScope): EvaluationStep {
  const [, receiver, [pattern]] = node.args;
  const test = compilePattern(readQuoted(pattern, node, "matches() takes its pattern"), pattern ?? node, scope);
  const text = compile(receiver, scope);
  return (frame) => {
    const value = text(frame);
    if (isFailure(value)) return value;
    if (typeof value !== "string") throw frame.meter.fail(`matches() takes a string and got a ${typeName(value)}`);
    return test(value, frame.meter);
  };
}

function compilePattern(
  pattern: string,
  node: ASTNode,
  { patterns }: FilterScope,
): (text: string, meter: Meter) => boolean {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new EvaluationFault(`a pattern must have at most ${MAX_PATTERN_LENGTH} characters`, node);
  }
  patterns.length += pattern.length;
  if (patterns.length > MAX_TOTAL_LENGTH) {
    throw new EvaluationFault(`all patterns must have at most ${MAX_TOTAL_LENGTH} characters together`, node);
  }
  if (estimateProgramSize(pattern) > MAX_ESTIMATE) throw new EvaluationFault(TOO_LARGE, node);
  const compiled = readPattern(pattern, node);
  const size = compiled.programSize();
  patterns.size += size;
  if (size > MAX_PROGRAM_SIZE || patterns.size > MAX_TOTAL_SIZE) throw new EvaluationFault(TOO_LARGE, node);
  return (text, meter) => {
    meter.spend(STEPS_PER_MATCH + Math.ceil((text.length * size) / SIMULATED_PER_STEP));
    // Not `test`, whose engine makes states of the text as it goes, at a hundred times the cost and up to 8 MiB for each
    // pattern. A matcher, which also finds the place of the match, marks what it tried in one table.
    return compiled.matcher(text).find();
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
