// CEL's operators between two values. Two ints give an int, as in CEL. The numbers in an event are doubles, and an operation
// with a double gives a double.

import type { BinaryOperator } from "@marcbachmann/cel-js";

import { celEquals, isIn, isNumber, type Meter, readText, toInt, typeName } from "./values.ts";

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

const add: BinaryFunction = (a, b, meter) => {
  if (typeof a === "string" && typeof b === "string") return readText(a, meter) + readText(b, meter);
  if (Array.isArray(a) && Array.isArray(b)) {
    meter.spend(a.length + b.length);
    return [...(a as unknown[]), ...(b as unknown[])];
  }
  return addNumbers(a, b, meter);
};

type Comparable = string | number | bigint;

/** A comparison of a bigint with a number is exact in JavaScript. */
const ORDERINGS: Record<Ordering, (a: Comparable, b: Comparable) => boolean> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

const order =
  (operator: Ordering): BinaryFunction =>
  (a, b, meter) => {
    if (isNumber(a) && isNumber(b)) return ORDERINGS[operator](a, b);
    if (typeof a === "string" && typeof b === "string") {
      return ORDERINGS[operator](readText(a, meter), readText(b, meter));
    }
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
  "-": calculate("-"),
  "*": calculate("*"),
  "/": calculate("/"),
  "%": calculate("%"),
};
