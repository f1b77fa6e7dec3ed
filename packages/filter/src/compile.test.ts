// Tests what filters match, what they refuse and at which position, and that no event makes them fail in another way.

import { describe, expect, test } from "vitest";

import { brokenFilter, compileFilter, type FilterInput } from "./compile.ts";

const data = {
  id: "batch_1",
  count: 6,
  ratio: 0.5,
  done: true,
  none: null,
  error_code: "QUOTA",
  items: [{ name: "a", size: 1 }, { name: "b", size: 20 }, { name: "c" }],
  mixed: [1, "a", null, [2], { b: 3 }],
  nested: { deep: { er: "x" } },
};
const input: FilterInput = {
  event: {
    type: "batch.succeeded",
    data,
    user_metadata: { job: "nightly", try: 2 },
    labels: { team: "billing" },
    body_unbound: false,
  },
  source: "gemini",
};

function run(text: string, given: unknown = input) {
  const compiled = compileFilter(text);
  if (!("filter" in compiled)) throw new Error(`${text} is refused: ${compiled.fault}`);
  return compiled.filter.matches(given as FilterInput);
}

const withData = (value: unknown): FilterInput => ({ ...input, event: { ...input.event, data: value } });
const parse = (json: string) => withData(JSON.parse(json));

describe("an event is matched by", () => {
  test.for([
    'event.type == "batch.succeeded"',
    'event.type.startsWith("batch.") && source == "gemini"',
    'event.type in ["batch.failed", "batch.succeeded"]',
    'event.labels.team == "billing"',
    "!event.body_unbound",
    'event.labels["team"] == "billing"',
    'event["type"] == "batch.succeeded"',
    'event.user_metadata.job == "nightly" && event.user_metadata.try >= 2',
    "event.data.done",
    "!event.data.done || true",
    "has(event.data.id) && !has(event.data.nope)",
    "has(event.labels.team) && !has(event.user_metadata.other)",
    '"id" in event.data && !("nope" in event.data)',
    "event.data.none == null && event.data.id != null",
    "event.data.nested == {'deep': {'er': 'x'}}",
    "event.data.mixed == [1, 'a', null, [2], {'b': 3}]",
    "'a' in event.data.mixed && 1 in event.data.mixed && [2.0] in event.data.mixed && !('z' in event.data.mixed)",
    "event.data.items.exists(i, i.size > 10)",
    "event.data.items.all(i, i.name != 'z')",
    "event.data.items.exists_one(i, i.name == 'a')",
    "event.data.items.filter(i, has(i.size)).size() == 2",
    "event.data.items.map(i, i.name) == ['a', 'b', 'c']",
    "event.data.items.map(i, has(i.size), i.size * 2) == [2, 40]",
    "event.data.items.exists(i, event.data.mixed.exists(m, m == i.name))",
    "event.data.nested.exists(key, key == 'deep')",
    "event.data.items[1].name == 'b' && event.data.items[event.data.items.size() - 1].name == 'c'",
    'event.data.id.matches("^batch_[0-9]+$") && event.data.id.contains("tch") && event.data.id.endsWith("_1")',
    'event.data.error_code.lowerAscii() == "quota" && "ß-a".upperAscii() == "ß-A"',
    "size('é😀') == 2 && size(event.labels) == 1 && 'abc'.size() == 3",
    "event.data.count == 6 ? event.data.ratio < 1 : false",
    "string(event.data.count) == '6' && int('7') == 7 && double('1.5') == 1.5 && int(event.data.ratio) == 0",
    "event.data.id + '!' == 'batch_1!'",
    "dyn(event.data.count) != 7",
    "-event.data.count == -6 && -(3) == -3",
    "true // and a comment",
  ])("%s", (text) => {
    expect(run(text)).toBe(true);
  });

  test.for([
    ["event.data.count > 5", true],
    ["event.data.count >= 6.0", true],
    ["event.data.count < 6", false],
    ["event.data.count == 6.0", true],
    ["event.data.ratio == 1", false],
    ["event.data.count + 1 == 7", true],
    ["event.data.count % 4 == 2", true],
    ["event.data.count / 4.0 == 1.5", true],
    ["7 / 2 == 3 && 7 % 2 == 1", true],
    // Two ints are compared exactly. CEL compares an int with a double as doubles.
    ["9007199254740993 == 9007199254740992", false],
    ["0.0 / event.data.zero == 0.0 / event.data.zero", false],
  ] as const)("numbers, which are doubles in JSON: %s is %s", ([text, expected]) => {
    expect(run(text, withData({ ...data, zero: 0 }))).toBe(expected);
  });

  test("a filter can handle an event without type, data, labels and metadata", () => {
    const bare = { event: { type: "", data: null, user_metadata: {}, labels: {} }, source: "gemini" };
    expect(
      run('event.type == "" && event.data == null && event.labels == {} && size(event.user_metadata) == 0', bare),
    ).toBe(true);
  });
});

describe("a failure on an event is not a match, and the result says why:", () => {
  test.for([
    ["event.data.nope == 1", 'no such key: "nope"'],
    ["event.data.nope.deeper == 1", 'no such key: "nope"'],
    ["has(event.data.nope.deeper)", 'no such key: "nope"'],
    ["has(event.data.id.x)", "a string has no fields"],
    ["event.labels.nope == 'x'", 'no such key: "nope"'],
    ["event.data.id.x == 1", "a string has no fields"],
    ["event.data.items.name == 'a'", "a list has no fields"],
    ["event.data.items[3] == 1", "no item 3 in a list of length 3"],
    ["event.data.items[-1] == 1", "no item -1 in a list of length 3"],
    ["event.data.items[0.5] == 1", "no item 0.5 in a list of length 3"],
    ["event.data.id > 5", "no such comparison: string > int"],
    ["event.data.count < 'a'", "no such comparison: double < string"],
    ["event.data.id + 1 == 2", "no such operation: string + int"],
    ["event.data.count && true", "expected a bool and got a double"],
    ["!event.data.id", "expected a bool and got a string"],
    ["event.data.none ? true : false", "expected a bool and got a null"],
    ["event.data.count.startsWith('6')", "expected a string and got a double"],
    ["event.data.count.matches('6')", "matches() takes a string and got a double"],
    ["'a' in event.data.id", '"in" needs a list or a map'],
    ["event.data.count.exists(x, true)", "exists() needs a list or a map and got a double"],
    ["size(event.data.count) == 1", "a double has no size"],
    ["1 / int(event.data.none) == 1", "this null cannot become an int"],
    ["1 / int('0') == 1", "division by zero"],
    ["9223372036854775807 + event.data.items.size() == 0", "int overflow"],
    ["event.data", "gave a map and not a bool"],
    ["event.data.count", "gave a double and not a bool"],
    ["event.data.items.map(i, i.size) == []", 'no such key: "size"'],
    ["{event.data.count: 1} == {}", "the keys of a map must be strings"],
  ] as const)("%s", ([text, error]) => {
    expect(run(text)).toEqual({ error: expect.stringContaining(error) });
  });

  test("the source is unknown when the job does not name it", () => {
    expect(run('source == "gemini"', { ...input, source: undefined })).toEqual({
      error: "source is not known for this event",
    });
  });

  test.for([
    ["event.data.nope == 1 || true", true],
    ["true || event.data.nope == 1", true],
    ["event.data.nope == 1 && false", false],
    ["event.data.items.exists(i, i.size == 20)", true],
    ["event.data.items.all(i, i.size < 5)", false],
  ] as const)("no failure when another operand decides, in either order: %s is %s", ([text, expected]) => {
    expect(run(text)).toBe(expected);
  });

  test.for(["event.data.nope == 1 || false", "event.data.nope == 1 && true", "event.data.items.all(i, i.size > 0)"])(
    "nor is it lost where none does: %s",
    (text) => {
      expect(run(text)).toEqual({ error: expect.stringContaining("no such key") });
    },
  );
});

describe("refused, with the position of the fault:", () => {
  test.for([
    ["", 1, "Unexpected token: EOF"],
    ['source == "gemini" &&', 22, "Unexpected token: EOF"],
    ['event.type = "x"', 12, "Unexpected character: ="],
    ["event.type == 😀", 15, "Unexpected character: 😀"],
    ["'\\😀'", 2, "Invalid escape sequence: \\😀"],
    ['event.type == "x', 15, "Unterminated string"],
    ["event.data.a == 1 && (event.data.b == )", 39, "Unexpected token: RPAREN"],
    ["event.type == foo", 15, "Unknown variable: foo"],
    ["event.typo == 'x'", 7, "No such key: typo"],
    ["has(event.typo)", 11, "has() takes a field of something in the event"],
    ["event.type == 5", 1, "no such overload: string == int"],
    ["event == 5", 1, "no such overload"],
    ["source == null", 1, "no such overload"],
    ["5", 1, "must give a bool, but gives a int"],
    ["event.type", 1, "must give a bool, but gives a string"],
    ["true ? 1 : 2", 1, "must give a bool, but gives a int"],
    ["event.data.map(x, x)", 1, "must give a bool, but gives a list"],
    ["event.data.x.nope()", 1, "no matching overload"],
    ["nope(1)", 1, "no matching overload"],
    ["true && 'a'.json() == 1", 9, "no matching overload"],
    ["cel.bind(a, 1, a == 1)", 1, "filters have no function bind()"],
    ["type(event.data.x) == string", 1, "filters have no function type()"],
    ["event.data.x == string", 17, "Unknown variable: string"],
    ["event.data.x == b'abc'", 17, "filters have no values of this type, because JSON has none"],
    ["event.data.x == 1u", 17, "filters have no values of this type, because JSON has none"],
    ["event.data.x == 9223372036854775808", 17, "does not fit an int of 64 bits"],
    ["event.data.x.matches(event.data.y)", 22, "takes its pattern as a string in quotes"],
    ["event.data.x.matches('(')", 22, "the pattern is not valid in RE2"],
    ["event.data.x.matches('(?=a)')", 22, "the pattern is not valid in RE2"],
    ["event.data.x.matches('(a{90}){90}')", 22, ""],
    [`event.data.x.matches('${"a".repeat(257)}')`, 22, "at most 256 characters"],
    ["event.data.x.exists(1, true)", 21, "invalid predicate iteration variable"],
    ["event.data.x.exists(event, true)", 21, "the name event is already in use"],
    ["event.data.x.exists(a, a.exists(a, true))", 33, "the name a is already in use"],
    ["event.data.?x == 1", 12, ""],
    ["event.type == '\0'", 1, "without NUL"],
    ["event.type == '\ud800'", 1, "without NUL"],
    ["a".repeat(2001), 1, "at most 2000 characters"],
  ] as const)("%s", ([text, column, fault]) => {
    expect(compileFilter(text)).toEqual({ fault: expect.stringContaining(fault), position: { line: 1, column } });
  });

  test("the line counts too", () => {
    expect(compileFilter('event.type == "é😀"\n  && bad')).toMatchObject({ position: { line: 2, column: 6 } });
  });

  test("names of JavaScript are neither functions nor variables", () => {
    for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty", "valueOf"]) {
      expect(compileFilter(`${name} == 1`), name).toHaveProperty("fault");
      expect(compileFilter(`${name}(1) == 1`), name).toHaveProperty("fault");
      expect(compileFilter(`event.data.${name}() == 1`), name).toHaveProperty("fault");
      expect(compileFilter(`event.${name} == 1`), name).toHaveProperty("fault");
    }
  });
});

describe("a hostile event", () => {
  test("has only its own keys, whatever their names, and none of a prototype", () => {
    for (const key of ["constructor", "toString", "hasOwnProperty", "__proto__", "length"]) {
      expect(run(`event.data["${key}"] == 1`, parse("{}"))).toEqual({ error: `no such key: "${key}"` });
      expect(run(`"${key}" in event.data`, parse("{}"))).toBe(false);
      expect(run(`"${key}" in event.data && event.data["${key}"] == 1`, parse(`{"${key}": 1}`))).toBe(true);
      expect(run(`event.data == {"${key}": 1}`, parse(`{"${key}": 1}`))).toBe(true);
      expect(run(`event.data == {"${key}": 1}`, parse("{}"))).toBe(false);
      expect(run("event.data.id == 'x'", parse(`{"${key}": {"x": 1}, "id": "x"}`))).toBe(true);
    }
    expect(run("event.data.items.length == 1", parse('{"items": [1]}'))).toHaveProperty("error");
  });

  test("that is nested a hundred thousand levels deep is compared only up to a limit", () => {
    const deep = `{"a": 1, "deep": ${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    expect(run("event.data.a == 1", parse(deep))).toBe(true);
    expect(run("event.data.deep == event.data.deep", parse(deep))).toEqual({
      error: "values nested deeper than 64 are not compared",
    });
  });

  test("cannot cause an error message that PostgreSQL would refuse", () => {
    for (const key of ["\0", "\ud800", `${"x".repeat(99)}😀`, "😀".repeat(500)]) {
      const verdict = run("event.data.map[event.data.key] == 1", withData({ map: {}, key }));
      const { error } = verdict as { error: string };
      expect(error.length).toBeLessThanOrEqual(200);
      expect(error.isWellFormed() && !error.includes("\0")).toBe(true);
    }
  });

  test("cannot make a pattern slow", () => {
    const text = `${"a".repeat(1_000)}!`;
    expect(run('event.data.matches("^(a+)+$")', withData(text))).toBe(false);
    expect(run('event.data.matches("^(a|a)*$")', withData(text))).toBe(false);
  });
});

test("one filter judges many events independently", () => {
  const compiled = compileFilter("event.data.list.exists(x, x == source)");
  if (!("filter" in compiled)) throw new Error(compiled.fault);
  const judge = (list: unknown, source: string) => compiled.filter.matches({ ...withData({ list }), source });
  expect(judge(["a", "b"], "b")).toBe(true);
  expect(judge(["a", "b"], "c")).toBe(false);
  expect(judge(7, "c")).toHaveProperty("error");
  expect(judge(["c"], "c")).toBe(true);
});

test("a stored filter that is no longer valid matches nothing, and says so", () => {
  expect(brokenFilter("x".repeat(300)).matches(input)).toEqual({
    error: expect.stringMatching(/^the filter of this target is not valid: x+$/),
  });
});
