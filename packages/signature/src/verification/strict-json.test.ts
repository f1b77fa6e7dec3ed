import fc from "fast-check";
import { expect, test } from "vitest";

import { parseStrictJson } from "./strict-json.ts";

test("the output of JSON.stringify is never ambiguous", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom(undefined, 2, "\t"), (text, space) => {
      const value: unknown = JSON.parse(text);
      expect(parseStrictJson(JSON.stringify(value, null, space))).toEqual(value);
    }),
    { numRuns: 1_000 },
  );
});

const escape = (name: string) =>
  Array.from(name, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");

test("an object with a member twice is refused, wherever it is and however the name is written", () => {
  const name = fc.string({ unit: fc.constantFrom("a", '"', "\\", "{", ":", ",", "ü") });
  fc.assert(
    fc.property(
      name,
      fc.json(),
      fc.boolean(),
      fc.array(fc.constantFrom("list", "object")),
      (key, value, escaped, around) => {
        const second = escaped ? `"${escape(key)}"` : JSON.stringify(key);
        const wrap = (inner: string) =>
          around.reduce((text, kind) => (kind === "list" ? `[1,${text},"}"]` : `{"x":{},"y":${text},"z":1}`), inner);
        const once = wrap(`{${JSON.stringify(key)}:${value},"${key.length}x":0}`);
        expect(parseStrictJson(once)).toEqual(JSON.parse(once));
        expect(() => parseStrictJson(wrap(`{${JSON.stringify(key)}:${value}, ${second} : 0}`))).toThrow(
          "an object has a member twice",
        );
      },
    ),
    { numRuns: 1_000 },
  );
});

const read = (text: string) => {
  try {
    return parseStrictJson(text);
  } catch {
    return undefined;
  }
};

test("two accepted numbers with the same double are the same number", () => {
  const decimal = fc
    .tuple(fc.bigInt({ min: -(10n ** 19n), max: 10n ** 19n }), fc.integer({ min: -30, max: 30 }))
    .map(([mantissa, exponent]) => ({
      text: exponent === 0 ? String(mantissa) : `${mantissa}e${exponent}`,
      mantissa,
      exponent,
    }));
  let compared = 0;
  fc.assert(
    fc.property(decimal, fc.bigInt({ min: -3n, max: 3n }), ({ mantissa, exponent, text }, step) => {
      const neighbour = exponent === 0 ? String(mantissa + step) : `${mantissa + step}e${exponent}`;
      if (step === 0n || read(text) === undefined || read(neighbour) === undefined) return;
      compared += 1;
      expect(read(text)).not.toBe(read(neighbour));
    }),
    { numRuns: 3_000 },
  );
  expect(compared).toBeGreaterThan(100);
});

const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

test("nesting is refused before the stack ends", () => {
  expect(parseStrictJson(nested(256))).toBeInstanceOf(Array);
  expect(() => parseStrictJson(nested(257))).toThrow("the nesting is deeper than 256 levels");
  expect(() => parseStrictJson(nested(1_000_000))).toThrow();
});

test("text that is not JSON is refused", () => {
  for (const text of ["", "{", "{a:1}", "{'a':1}", "[1,]", "01", "+1", ".5", "NaN", "{} {}", "\uFEFF{}", '"\n"']) {
    expect(() => parseStrictJson(text)).toThrow(SyntaxError);
  }
});
