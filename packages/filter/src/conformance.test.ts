// Runs CEL's conformance tests, the data of https://github.com/google/cel-spec, against filters. Filters are a subset of
// CEL: what they accept MUST give the value of the specification.

import { tests } from "@bufbuild/cel-spec/testdata/conformance.js";
import { expect, test } from "vitest";

import { compileExpression } from "./compile.ts";
import { EvaluationFailure, Meter } from "./meter.ts";
import { Duration, parseDuration, parseTimestamp, Timestamp } from "./times.ts";
import { celEquals, typeName } from "./values.ts";

type Suite = typeof tests;
type Expectation = { kind: "value"; value: unknown } | { kind: "error" | "nothing" | "not JSON" };

interface Case {
  name: string;
  expr: string;
  expected: Expectation;
}

/** A value of the test data, in the JSON form of `cel.expr.Value`. Undefined for types that filters do not have. */
function readValue(json: Record<string, unknown>): unknown {
  const [kind = "", value] = Object.entries(json)[0] ?? [];
  switch (kind) {
    case "nullValue":
      return null;
    case "boolValue":
    case "stringValue":
      return value;
    case "int64Value":
      return BigInt(value as string);
    case "doubleValue":
      return Number(value);
    case "listValue": {
      const { values = [] } = value as { values?: Record<string, unknown>[] };
      const items = values.map(readValue);
      return items.includes(undefined) ? undefined : items;
    }
    case "mapValue": {
      const { entries = [] } = value as {
        entries?: { key: Record<string, unknown>; value: Record<string, unknown> }[];
      };
      const pairs = entries.map((entry) => [readValue(entry.key), readValue(entry.value)] as const);
      return pairs.flat().includes(undefined) ? undefined : new Map(pairs);
    }
    case "objectValue": {
      const { "@type": type, value: text } = value as { "@type": string; value?: string };
      if (type.endsWith("/google.protobuf.Timestamp")) return parseTimestamp(text ?? "", new Meter());
      if (type.endsWith("/google.protobuf.Duration")) return parseDuration(text ?? "", new Meter());
      return undefined;
    }
    default:
      return undefined;
  }
}

function readExpectation(original: Record<string, unknown>): Expectation {
  if (original["evalError"] !== undefined || original["anyEvalErrors"] !== undefined) return { kind: "error" };
  // A test without a value expects true, unless it is about the type alone.
  const { result } = (original["typedResult"] ?? { result: { boolValue: true } }) as { result?: unknown };
  const stated = original["value"] ?? result;
  if (stated === undefined) return { kind: "nothing" };
  const value = readValue(stated as Record<string, unknown>);
  return value === undefined ? { kind: "not JSON" } : { kind: "value", value };
}

function listCases(suite: Suite, path: string): Case[] {
  const own = (suite.tests ?? []).map(({ original }) => ({
    name: `${path}/${String(original.name)}: ${original.expr}`,
    expr: original.expr,
    expected: readExpectation(original),
  }));
  return [...own, ...(suite.suites ?? []).flatMap((inner) => listCases(inner, `${path}/${inner.name}`))];
}

function evaluate(expr: string): { kind: "refused" | "error" } | { kind: "value"; value: unknown } {
  const compiled = compileExpression(expr, () => true);
  if ("fault" in compiled) return { kind: "refused" };
  const value = compiled.step({ slots: [{}, "gemini"], meter: new Meter() });
  return value instanceof EvaluationFailure ? { kind: "error" } : { kind: "value", value };
}

/** An int is not the double that equals it, and NaN is what a test for NaN expects. */
function isSame(a: unknown, b: unknown): boolean {
  return typeName(a) === typeName(b) && (Object.is(a, b) || celEquals(a, b, new Meter()));
}

const show = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === "bigint" || inner instanceof Timestamp || inner instanceof Duration) return String(inner);
    return inner instanceof Map ? [...inner] : inner;
  });

test("whatever filters accept of CEL's conformance tests gives the value of the specification", () => {
  const counts = { right: 0, refused: 0 };
  const wrong: string[] = [];
  for (const { name, expr, expected } of listCases(tests, "")) {
    if (expected.kind === "nothing") continue;
    const result = evaluate(expr);
    if (result.kind === "refused") counts.refused += 1;
    else if (result.kind === "error" && expected.kind === "error") counts.right += 1;
    else if (result.kind === "value" && expected.kind === "value" && isSame(result.value, expected.value))
      counts.right += 1;
    else wrong.push(`${name} gives ${show(result)}, expected ${show(expected)}`);
  }
  expect(wrong).toEqual([]);
  // Refused are mostly tests with variables, protocol buffers, bytes, unsigned ints and optional values.
  expect(counts).toEqual({ right: 741, refused: 1_578 });
});
