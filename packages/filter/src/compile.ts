// Compiles the filter of a target, a CEL expression over an event. Pure. A filter is compiled when somebody sets it, and a
// bad filter is refused with the position of its fault. A filter that fails on an event does not match it and says why.

import { Environment, ParseError, TypeError } from "@marcbachmann/cel-js";

import { cutText } from "@sluice/shared/domain/cut-text";

import { EvaluationFault } from "./fault.ts";
import { Meter } from "./meter.ts";
import { compileNode, openScope } from "./program.ts";
import { type EvaluationStep, isFailure } from "./step.ts";
import { typeName } from "./values.ts";

export const MAX_FILTER_LENGTH = 2_000;
/** The limit of an error message. The message is stored with the event, for each target. */
const MAX_ERROR_LENGTH = 200;
/** The first half of a character above U+FFFF without the second. */
const HALF = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])/g;

/** The variables of a filter. */
export interface FilterInput {
  event: {
    /** Empty for an event without a type. */
    type: string;
    data: unknown;
    user_metadata: Record<string, unknown>;
    labels: Record<string, string>;
    /** Whether the signature proves the sender and does not cover the body. */
    body_unbound: boolean;
  };
  /** The name of the source. Undefined when a job of an older version does not contain it. */
  source: string | undefined;
  /** Whether the event has more fields than a filter may list. */
  hasManyFields?: boolean;
}

export interface Filter {
  matches: (input: FilterInput) => boolean | { error: string };
}

/** Both start at 1. A column is a UTF-16 unit, as editors count. */
export interface FilterPosition {
  line: number;
  column: number;
}

/** What the library does not declare, although CEL has it. The library only checks; it never calls a function. */
const FURTHER_FUNCTIONS = [
  "timestamp(google.protobuf.Timestamp): google.protobuf.Timestamp",
  "duration(google.protobuf.Duration): google.protobuf.Duration",
  "int(google.protobuf.Timestamp): int",
  "string(google.protobuf.Timestamp): string",
  "string(google.protobuf.Duration): string",
  "string.charAt(int): string",
  "string.replace(string, string): string",
  "string.replace(string, string, int): string",
];

const environment = new Environment({
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 500, maxDepth: 32, maxListElements: 500, maxMapEntries: 100, maxCallArguments: 8 },
})
  .registerType("Event", {
    fields: {
      type: "string",
      data: "dyn",
      user_metadata: "map<string, dyn>",
      labels: "map<string, string>",
      body_unbound: "bool",
    },
  })
  .registerVariable("event", "Event")
  .registerVariable("source", "string");
for (const signature of FURTHER_FUNCTIONS) environment.registerFunction(signature, () => undefined);

interface FilterFault {
  fault: string;
  position: FilterPosition;
}

export function compileFilter(text: string): { filter: Filter } | FilterFault {
  const compiled = compileExpression(text, (type) => type === "bool" || type === "dyn");
  return "fault" in compiled ? compiled : { filter: { matches: toMatcher(compiled.step) } };
}

/** @param mayGive whether the expression may be of a type, by the type's name in CEL; `dyn` is known only by the event. */
export function compileExpression(
  text: string,
  mayGive: (type: string) => boolean,
): { step: EvaluationStep } | FilterFault {
  if (text.length > MAX_FILTER_LENGTH)
    return refuseFilter(text, `must have at most ${MAX_FILTER_LENGTH} characters`, 0);
  // PostgreSQL stores neither NUL nor a lone surrogate in a text.
  if (text.includes("\0") || !text.isWellFormed())
    return refuseFilter(text, "must be valid Unicode text without NUL", 0);
  try {
    const parsed = environment.parse(text);
    const { valid, type = "dyn", error } = parsed.check();
    if (!valid) throw error ?? new EvaluationFault("is not valid", parsed.ast);
    if (!mayGive(type)) throw new EvaluationFault(`must give a bool, but gives a ${type}`, parsed.ast);
    return { step: compileNode(parsed.ast, openScope()) };
  } catch (error) {
    if (error instanceof EvaluationFault) return refuseFilter(text, error.message, error.offset);
    if (error instanceof ParseError || error instanceof TypeError) {
      return refuseFilter(text, error.summary, error.range?.start ?? 0);
    }
    // Failure policy: closed. A text on which the library fails is not a filter, and must not stop the start of a worker.
    return refuseFilter(text, `cannot be read: ${error instanceof Error ? error.message : String(error)}`, 0);
  }
}

/** Replaces a stored filter that is refused now. It matches no event, and each event says why. */
export function brokenFilter(fault: string): Filter {
  const error = cutText(`the filter of this target is not valid: ${fault}`, MAX_ERROR_LENGTH);
  return { matches: () => ({ error }) };
}

function toMatcher(step: EvaluationStep): Filter["matches"] {
  return ({ event, source, hasManyFields }) => {
    try {
      const result = step({ slots: [event, source], meter: new Meter(hasManyFields) });
      if (typeof result === "boolean") return result;
      return notMatched(isFailure(result) ? result.message : `gave a ${typeName(result)} and not a bool`);
    } catch (error) {
      // Failure policy: closed. An event that a filter cannot judge is not delivered, and the event says so.
      return notMatched(error instanceof Error ? error.message : String(error));
    }
  };
}

function notMatched(message: string): { error: string } {
  return { error: cutText(message, MAX_ERROR_LENGTH) };
}

function refuseFilter(text: string, fault: string, offset: number): FilterFault {
  const before = text.slice(0, offset).split("\n");
  const position = { line: before.length, column: (before.at(-1) ?? "").length + 1 };
  return { fault: completeCharacters(fault, text.slice(offset)), position };
}

/** Where the library quotes one character, it quotes a UTF-16 unit, which can be half of it. The text has the whole. */
function completeCharacters(fault: string, text: string): string {
  return fault.replaceAll(HALF, (half) => {
    const at = text.indexOf(half);
    return at === -1 ? half : text.slice(at, at + 2);
  });
}
