// Tests that no expression on no event takes long, and that every function pays for what it reads. The generated
// expressions are always the same ones, so that this test only fails after a change. FUZZ_SEED makes others, and FUZZ_RUNS
// sets how many.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { cpuTimeMs } from "../../../tests/support/cpu-time.ts";
import { filterExpressions, hostileBodies } from "../../../tests/support/filter-fuzz.ts";
import { compileFilter, type Filter, type FilterInput } from "./compile.ts";
import { FUNCTIONS, METHODS } from "./functions.ts";
import { readFilterInput } from "./input.ts";
import { Meter } from "./meter.ts";

/** The worst is 20 ms on the machine of bench/README.md. The limit is far above, for slower machines and cold code. */
const MAX_CPU_MS = 200;
const numRuns = Number(process.env["FUZZ_RUNS"] ?? 500);
const seed = Number(process.env["FUZZ_SEED"] ?? 1);

const inputs = new Map<string, FilterInput>();

/** Parsed when it is needed first: JSON.parse takes up to 10 ms for each. */
function openInput(name: string): FilterInput {
  const known = inputs.get(name);
  if (known !== undefined) return known;
  const body = hostileBodies.get(name) ?? Buffer.alloc(0);
  const event = { type: "batch.succeeded", body, userMetadata: null, labels: { team: "a" }, bodyUnbound: false };
  const input = readFilterInput(event, "gemini");
  inputs.set(name, input);
  return input;
}

const compilePatterns = (...patterns: string[]) =>
  compileFilter(patterns.map((pattern) => `event.type.matches('${pattern}')`).join(" && "));

function measureMs(work: () => unknown): number {
  const startedAtMs = cpuTimeMs();
  work();
  return cpuTimeMs() - startedAtMs;
}

const numbers = Array.from({ length: 20_000 }, (_, i) => i);
const large: FilterInput = {
  event: {
    type: "batch.succeeded",
    data: {
      numbers,
      texts: numbers.map((i) => `text ${i}`),
      map: Object.fromEntries(numbers.map((i) => [`key ${i}`, i])),
      text: "ab".repeat(500_000),
      needle: `${"ab".repeat(100_000)}c`,
      letters: "a".repeat(500_000),
      accents: "aé".repeat(250_000),
    },
    user_metadata: {},
    labels: {},
    body_unbound: false,
  },
  source: "gemini",
};

function judgeLarge(text: string) {
  const compiled = compileFilter(text);
  if (!("filter" in compiled)) throw new Error(`${text} is refused: ${compiled.fault}`);
  return compiled.filter.matches(large);
}

/** An expression with `depth` nested calls of `all`. */
const nested = (depth: number, range: string) =>
  `${Array.from({ length: depth }, (_, i) => `${range}.all(x${i}, `).join("")}true${")".repeat(depth)}`;

describe("an expression that would take long ends where the steps do:", () => {
  test.for([
    nested(2, "event.data.numbers"),
    nested(5, "[1,2,3,4,5,6,7,8,9,10]"),
    nested(5, "event.data.map"),
    "event.data.numbers.all(x, x in event.data.numbers)",
    "event.data.numbers.all(x, !(x in event.data.texts)) || true",
    "event.data.numbers.exists(x, event.data.map.x == 1)",
    "event.data.texts.exists(x, event.data.text.contains(x))",
    "event.data.texts.all(x, size(event.data.text) > 1)",
    "event.data.text.contains(event.data.needle)",
    "event.data.numbers.map(x, event.data.numbers).size() == 1 || event.data.numbers.map(x, event.data.numbers) == []",
    `event.data.numbers.map(x, x)${" + event.data.numbers".repeat(20)} == []`,
    `[event.data.text]${".map(x, x + x)".repeat(20)} == []`,
    `[event.data.numbers]${".map(x, x + x)".repeat(20)} == []`,
    'event.data.text.matches("(ab|a|b){1,50}c")',
    "event.data.texts.all(x, x.nope == 1) || event.data.texts.all(x, x.nope == 2)",
    "event.data.numbers.exists(x, event.data.letters.upperAscii() == '')",
    "event.data.accents.upperAscii() == event.data.accents.lowerAscii()",
    "event.data.numbers.exists(x, event.data.numbers.map(y, y.nope) == [])",
    "event.data.numbers.exists(a, [1].exists(b, [1].exists(c, [1].exists(d, [1].exists(e, a.nope == 1)))))",
    "event.data.letters.split('') == []",
    "event.data.letters.split('a').size() == 1",
    "event.data.letters.replace('a', event.data.letters) == ''",
    "event.data.letters.replace('', 'b').replace('', 'b') == ''",
    "event.data.letters.lastIndexOf('aaaaaaaaaaaaaaaab') == 1",
    "event.data.numbers.map(x, event.data.texts.join()).size() == 1",
    "event.data.texts.all(x, timestamp(0).getHours('Europe/Paris') == 1)",
    "event.data.numbers.all(x, duration('1h30m') != duration('1s') && timestamp(0) < timestamp('2026-01-01T00:00:00Z'))",
  ])("%s", (text) => {
    const startedAtMs = cpuTimeMs();
    expect(judgeLarge(text)).toEqual({ error: "needs more than 100000 steps on this event" });
    // Without a limit, most of these would take far more than a second.
    expect(cpuTimeMs() - startedAtMs).toBeLessThan(MAX_CPU_MS);
  });

  test("within the limits it has its result", () => {
    expect(judgeLarge("event.data.texts.exists(x, x == 'text 9999')")).toBe(true);
    expect(judgeLarge("size(event.data.map) == 20000 && event.data.map['key 7'] == 7")).toBe(true);
    expect(judgeLarge("event.data.text.contains('ba') && event.data.text.startsWith('ab')")).toBe(true);
    expect(judgeLarge("!event.data.text.contains('zz')")).toBe(true);
    expect(judgeLarge("event.data.letters.upperAscii().startsWith('AA')")).toBe(true);
  });

  test("the keys of maps are not listed in an event with very many fields", () => {
    const { filter } = compileFilter("size(event.data.map) > 1") as { filter: Filter };
    expect(filter.matches(openInput("keys"))).toEqual({
      error: "the keys of a map cannot be listed in an event of more than 20000 fields",
    });
    expect(filter.matches(openInput("doubles"))).toBe(false);
  });

  test.for(["(", "[", "{'a':", "!", "-", "event.data.x.all(y,", "true?true:", "true&&", "1+", "a.", "a["])(
    "2000 characters of %j are refused at once, or read",
    (piece) => {
      const startedAtMs = cpuTimeMs();
      for (const end of ["", "true"]) compileFilter(piece.repeat(Math.floor(1_990 / piece.length)) + end);
      expect(cpuTimeMs() - startedAtMs).toBeLessThan(MAX_CPU_MS);
    },
  );

  test.for([
    [`(?:${"abcdefghij".repeat(24)}){100}`, "too many repetitions"],
    ["a{1000}b{1000}c{1000}d{1000}", "too many repetitions"],
    ["(((((a{9}){9}){9}){9}){9}){9}", "too many repetitions"],
  ] as const)("a pattern %s is refused before it is compiled", ([pattern, fault]) => {
    let compiled: ReturnType<typeof compileFilter> | undefined;
    expect(measureMs(() => (compiled = compilePatterns(pattern)))).toBeLessThan(MAX_CPU_MS);
    expect(compiled).toMatchObject({ fault: expect.stringContaining(fault) });
  });

  test("the patterns of a filter are limited together", () => {
    expect(compilePatterns("(a{30}){30}", "(a{30}){30}")).toHaveProperty("filter");
    expect(compilePatterns("(a{30}){30}", "(a{30}){30}", "(a{30}){30}")).toHaveProperty("fault");
    expect(compilePatterns("a".repeat(250), "b".repeat(250))).toHaveProperty("filter");
    expect(compilePatterns("a".repeat(250), "b".repeat(250), "c".repeat(250))).toHaveProperty("fault");
  });
});

test("no generated expression takes long to compile, or to evaluate on a hostile event", () => {
  fc.assert(
    fc.property(filterExpressions, fc.constantFrom(...hostileBodies.keys()), (text, name) => {
      const input = openInput(name);
      let compiled: ReturnType<typeof compileFilter> | undefined;
      expect(measureMs(() => (compiled = compileFilter(text)))).toBeLessThan(MAX_CPU_MS);
      if (compiled === undefined || !("filter" in compiled)) return;
      const { filter } = compiled;
      expect(measureMs(() => filter.matches(input))).toBeLessThan(MAX_CPU_MS);
    }),
    { numRuns, seed },
  );
});

describe("a function pays for what it reads and writes:", () => {
  const LENGTH = 64_000;
  const text = "a".repeat(LENGTH);
  const list = Array<string>(LENGTH).fill("a");
  /** Arguments of each function that are large in every place where they can be. */
  const LARGE: Record<string, unknown[][]> = {
    size: [[text], ["é".repeat(LENGTH)], [Object.fromEntries(list.map((letter, index) => [`${letter}${index}`, 0]))]],
    startsWith: [[text, text]],
    endsWith: [[text, text]],
    contains: [
      [text, "b"],
      [text, text],
      [text, `ab${"a".repeat(LENGTH / 2)}`],
    ],
    charAt: [[text, 1n]],
    indexOf: [
      [text, "b"],
      [text, "b", 1n],
    ],
    lastIndexOf: [
      [text, "b"],
      [text, "b", 9n],
    ],
    lowerAscii: [[text.toUpperCase()], ["aÉ".repeat(LENGTH / 2)]],
    upperAscii: [[text], ["aé".repeat(LENGTH / 2)]],
    trim: [[" ".repeat(LENGTH)]],
    substring: [
      [text, 1n],
      ["é".repeat(LENGTH), 0n, BigInt(LENGTH)],
    ],
    replace: [
      [text, "b", "c"],
      ["aaa", "a", text],
      [text, "", "b", 100n],
    ],
    split: [
      [text, "b"],
      [text, "a"],
      [text, ""],
    ],
    join: [[list], [["", "", ""], text]],
  };
  /** These read a bounded part of their argument. */
  const BOUNDED = ["bool", "double", "duration", "dyn", "int", "string", "timestamp"];

  test("each is in the table", () => {
    expect(Object.keys(METHODS).toSorted()).toEqual(Object.keys(LARGE).toSorted());
    expect(Object.keys(FUNCTIONS).toSorted()).toEqual(["size", ...BOUNDED].toSorted());
  });

  test.for(Object.entries(LARGE).flatMap(([name, calls]) => calls.map((args) => ({ name, args }))))(
    "$name",
    ({ name, args }) => {
      const meter = new Meter();
      try {
        METHODS[name]?.run(args, meter);
      } catch {
        // The steps are used up.
      }
      expect(meter.spent).toBeGreaterThanOrEqual(LENGTH / 64);
    },
  );

  test.for(BOUNDED)("%s() reads a bounded part", (name) => {
    const hostile = ["1", " ", "-", ".", "1h", "2026-01-31T23:59:59."].map((piece) => piece.repeat(LENGTH));
    for (const value of [...hostile, text]) {
      const call = () => {
        try {
          FUNCTIONS[name]?.run([value], new Meter());
        } catch {
          // It cannot be converted.
        }
      };
      expect(measureMs(call)).toBeLessThan(MAX_CPU_MS);
    }
  });

  test("a duration pays for each of its units", () => {
    const meter = new Meter();
    FUNCTIONS["duration"]?.run(["1h".repeat(50)], meter);
    expect(meter.spent).toBeGreaterThanOrEqual(50 * 6);
  });

  test("a search for a long part takes no longer than the text is", () => {
    const part = `${"a".repeat(100)}b${"a".repeat(1_900)}`;
    const call = () => METHODS["contains"]?.run(["a".repeat(500_000), part], new Meter());
    expect(measureMs(call)).toBeLessThan(MAX_CPU_MS);
    expect(call()).toBe(false);
  });
});
