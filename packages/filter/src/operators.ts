// CEL's operators between two values. Two ints give an int, as in CEL. The numbers in an event are doubles, and an operation
// with a double gives a double.

import type { BinaryOperator } from "@marcbachmann/cel-js";

import type { Meter } from "./meter.ts";
import { compareTexts } from "./texts.ts";
import { addTimes, Duration, subtractTimes, Timestamp } from "./times.ts";
import { celEquals, isIn, isNumber, toInt, typeName } from "./values.ts";

type BinaryFunction = (a: unknown, b: unknown, meter: Meter) => unknown;

type Arithmetic = "+" | "-" | "*" | "/" | "%";
type Ordering = "<" | "<=" | ">" | ">=";

const INTS: Record<Arithmetic, (a: bigint, b: bigint) => bigint> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

const DOUBLES: Record<Arithmetic, (a: number, b: number) => number> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

const calculate =
  (operator: Arithmetic): BinaryFunction =>
  (a, b, meter) => {
    if (typeof a === "bigint" && typeof b === "bigint") {
      if (b === 0n && (operator === "/" || operator === "%")) throw meter.fail("division by zero");
      return toInt(INTS[operator](a, b), meter);
    }
    if (isNumber(a) && isNumber(b)) return DOUBLES[operator](Number(a), Number(b));
    throw meter.fail(`no such operation: ${typeName(a)} ${operator} ${typeName(b)}`);
  };

const addNumbers = calculate("+");
const subtractNumbers = calculate("-");

const add: BinaryFunction = (a, b, meter) => {
  if (typeof a === "string" && typeof b === "string") {
    meter.spendCopy(a.length + b.length);
    return a + b;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    meter.spend(a.length + b.length);
    return [...(a as unknown[]), ...(b as unknown[])];
  }
  return addTimes(a, b, meter) ?? addNumbers(a, b, meter);
};

const subtract: BinaryFunction = (a, b, meter) => subtractTimes(a, b, meter) ?? subtractNumbers(a, b, meter);

type Comparable = number | bigint | boolean;

const ORDERINGS: Record<Ordering, (a: Comparable, b: Comparable) => boolean> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

const order =
  (operator: Ordering): BinaryFunction =>
  (a, b, meter) => {
    const compare = ORDERINGS[operator];
    if (isNumber(a) && isNumber(b)) return typeof a === typeof b ? compare(a, b) : compare(Number(a), Number(b));
    if (typeof a === "string" && typeof b === "string") return compare(compareTexts(a, b, meter), 0);
    if (typeof a === "boolean" && typeof b === "boolean") return compare(a, b);
    if (a instanceof Timestamp && b instanceof Timestamp) return compare(a.nanos, b.nanos);
    if (a instanceof Duration && b instanceof Duration) return compare(a.nanos, b.nanos);
    throw meter.fail(`no such comparison: ${typeName(a)} ${operator} ${typeName(b)}`);
  };

export const OPERATORS: Readonly<Record<BinaryOperator, BinaryFunction>> = {
  "==": (a, b, meter) => celEquals(a, b, meter),
  "!=": (a, b, meter) => !celEquals(a, b, meter),
  in: isIn,
  "<": order("<"),
  "<=": order("<="),
  ">": order(">"),
  ">=": order(">="),
  "+": add,
  "-": subtract,
  "*": calculate("*"),
  "/": calculate("/"),
  "%": calculate("%"),
};
