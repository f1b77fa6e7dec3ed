import fc from "fast-check";
import { expect, test } from "vitest";

import { parseExactJson, roundNumbers } from "./exact-json.ts";

test.for([
  "9007199254740993",
  "-9007199254740993",
  "12345678901234567890",
  "0.12345678901234567890",
  "12345678.123456789012",
  "1e400",
  "1.00000000000000000001E-10",
  '{"a":[1,{"b":9007199254740993}],"c":"9007199254740993","d":1.5}',
])("%s is written as it was read", (text) => {
  expect(JSON.stringify(parseExactJson(text))).toBe(text);
});

test("other JSON is what JSON.parse makes of it", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(roundNumbers(parseExactJson(text))).toEqual(JSON.parse(text));
    }),
  );
  expect(() => parseExactJson('{"a":1e}')).toThrow(SyntaxError);
});

test("a number of absurd size is rounded, because no store would take it", () => {
  const keys: string[] = [];
  const note = (key: string) => void keys.push(key);
  for (const number of ["1e999", "1e999999", `1${"0".repeat(1_000)}1`])
    expect(parseExactJson(`{"a":${number}}`, note)).toEqual({ a: Number.POSITIVE_INFINITY });
  expect(keys).toEqual(["a", "a", "a"]);
});

test("a number that is kept is also kept as jsonb writes it, without its exponent", () => {
  const zeros = "0".repeat(400);
  for (const text of [`1${zeros}`, `-0.${zeros}1`]) expect(JSON.stringify(parseExactJson(text))).toBe(text);
});

test("code that calculates gets doubles", () => {
  const value = parseExactJson('{"a":[9007199254740993],"b":"x","c":null}');
  expect(roundNumbers(value)).toEqual({ a: [9_007_199_254_740_992], b: "x", c: null });
});
