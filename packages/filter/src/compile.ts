// Filters of targets: a CEL expression over an event. Pure. A filter is compiled when it is set, and refused with the
// position of its fault; a filter that fails on an event does not match it, and says why.

import { Environment, ParseError, type ParseResult, TypeError } from "@marcbachmann/cel-js";

import { compileNode, GLOBAL_NAMES } from "./program.ts";
import type { EvaluationStep } from "./step.ts";
import { EvaluationFault, Meter, typeName } from "./values.ts";

export const MAX_FILTER_LENGTH = 2_000;
/** Of a failure's message. It is stored with the event, for each target. */
const MAX_ERROR_LENGTH = 200;

/** What a filter sees, as its variables `event` and `source`. */
export interface FilterInput {
  event: {
    /** Empty for an event without one. */
    type: string;
    data: unknown;
    user_metadata: Record<string, unknown>;
    labels: Record<string, string>;
  };
  /** The source's name; undefined where a job of an older version does not say. */
  source: string | undefined;
}

export interface Filter {
  matches: (input: FilterInput) => boolean | { error: string };
}

/** Both from 1; a column is a UTF-16 unit, as editors count. */
export interface FilterPosition {
  line: number;
  column: number;
}

const environment = new Environment({
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 500, maxDepth: 32, maxListElements: 500, maxMapEntries: 100, maxCallArguments: 8 },
})
  .registerType("Event", {
    fields: { type: "string", data: "dyn", user_metadata: "map<string, dyn>", labels: "map<string, string>" },
  })
  .registerVariable("event", "Event")
  .registerVariable("source", "string");

export function compileFilter(text: string): { filter: Filter } | { fault: string; position: FilterPosition } {
  if (text.length > MAX_FILTER_LENGTH)
    return refuseFilter(text, `must have at most ${MAX_FILTER_LENGTH} characters`, 0);
  // PostgreSQL has no NUL in a text, and a lone surrogate is no character.
  if (text.includes("\0") || !text.isWellFormed()) return refuseFilter(text, "must be text without NUL", 0);
  try {
    const parsed = environment.parse(text);
    checkTypes(parsed);
    return { filter: { matches: toMatcher(compileNode(parsed.ast, GLOBAL_NAMES)) } };
  } catch (error) {
    if (error instanceof EvaluationFault) return refuseFilter(text, error.message, error.offset);
    if (error instanceof ParseError || error instanceof TypeError) {
      return refuseFilter(text, error.summary, error.range?.start ?? 0);
    }
    // Failure policy: closed. Whatever the library stumbles over is no filter, and must not stop a worker's start.
    return refuseFilter(text, `cannot be read: ${error instanceof Error ? error.message : String(error)}`, 0);
  }
}

/** In place of a filter that was stored and is refused now: it matches nothing, and every event says why. */
export function brokenFilter(fault: string): Filter {
  const error = `the filter of this target is not valid: ${fault}`.slice(0, MAX_ERROR_LENGTH).toWellFormed();
  return { matches: () => ({ error }) };
}

function checkTypes(parsed: ParseResult): void {
  const { valid, type = "dyn", error } = parsed.check();
  if (!valid) throw error ?? new EvaluationFault("is not valid", parsed.ast);
  if (type !== "bool" && type !== "dyn") throw new EvaluationFault(`must give a bool, and gives a ${type}`, parsed.ast);
}

function toMatcher(step: EvaluationStep): Filter["matches"] {
  return ({ event, source }) => {
    try {
      const result = step({ slots: [event, source], meter: new Meter() });
      return typeof result === "boolean" ? result : { error: `gave a ${typeName(result)} where a bool is needed` };
    } catch (error) {
      // Failure policy: closed. An event that a filter cannot judge is not sent, and the event says so.
      const message = error instanceof Error ? error.message : String(error);
      // Well formed after the cut: PostgreSQL takes nothing else.
      return { error: message.slice(0, MAX_ERROR_LENGTH).toWellFormed() };
    }
  };
}

function refuseFilter(text: string, fault: string, offset: number): { fault: string; position: FilterPosition } {
  const before = text.slice(0, offset).split("\n");
  return { fault, position: { line: before.length, column: (before.at(-1) ?? "").length + 1 } };
}
