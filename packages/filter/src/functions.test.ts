// Tests the functions of filters beyond CEL's conformance tests: characters outside of the basic plane, limits, times of
// all zones, and what fails.

import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { compileFilter, type FilterInput } from "./compile.ts";
import { FUNCTIONS, METHODS } from "./functions.ts";

const data = {
  text: "a😀é-b",
  numbers: [1, 2.5, 1e21],
  tags: ["red", "green"],
  mixed: ["red", 7],
  createdAt: "2026-03-29T00:59:59.5Z",
  seconds: 1_700_000_000,
  flag: "true",
  long: "a".repeat(200),
  times: ["2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z"],
};
const input: FilterInput = {
  event: { type: "a.b", data, user_metadata: {}, labels: {}, body_unbound: false },
  source: "gemini",
};

function judge(text: string) {
  const compiled = compileFilter(text);
  if (!("filter" in compiled)) throw new Error(`${text} is refused: ${compiled.fault}`);
  return compiled.filter.matches(input);
}

test.for([
  // Texts count code points.
  "event.data.text.size() == 5 && event.data.text.indexOf('é') == 2 && event.data.text.lastIndexOf('-') == 3",
  "event.data.text.charAt(1) == '😀' && event.data.text.charAt(5) == ''",
  "event.data.text.substring(1, 3) == '😀é' && event.data.text.substring(5) == ''",
  "event.data.text.split('') == ['a', '😀', 'é', '-', 'b']",
  "event.data.text.split('', 2) == ['a', '😀é-b'] && ''.split('') == [] && ''.split(',') == ['']",
  "event.data.text.replace('', '|') == '|a|😀|é|-|b|' && 'ab'.replace('', '|', 2) == '|a|b'",
  "event.data.text.upperAscii() == 'A😀é-B' && 'ÀB'.lowerAscii() == 'Àb' && 'aB'.upperAscii() == 'AB'",
  "'\\ufffd' < '😀' && '😀' > '\\uff5e' && 'é' > 'z' && 'a' < 'ab' && !('é' < 'é')",
  // The numbers in an event are doubles.
  "event.data.text.substring(event.data.numbers[0]) == '😀é-b'",
  "event.data.text.indexOf('b', event.data.numbers[0]) == 4",
  "'a,b,c'.split(',', event.data.numbers[0]) == ['a,b,c']",
  "'a,b,c'.split(',', 2) == ['a', 'b,c'] && 'a,b,c'.split(',', 9) == ['a', 'b', 'c'] && 'aXXb'.split('X') == ['a', '', 'b']",
  "'aaa'.replace('a', 'bb') == 'bbbbbb' && 'aaa'.replace('a', 'b', 2) == 'bba' && 'aaa'.replace('a', 'b', 0) == 'aaa'",
  "event.data.tags.join(', ') == 'red, green' && event.data.tags.join() == 'redgreen'",
  "'\\u00a0 a b\\n'.trim() == 'a b' && ' \\t'.trim() == '' && '\\ufeffa'.trim() == '\\ufeffa'",
  "'banana'.lastIndexOf('ana') == 3 && 'banana'.lastIndexOf('ana', 2) == 1 && 'banana'.lastIndexOf('') == 6",
  "event.data.long.contains('aaaaaaaa') && !event.data.long.contains('ab') && event.data.long.indexOf('') == 0",
  // Conversions.
  "bool(event.data.flag) && !bool('f') && bool(true)",
  "int('+7') == 7 && double('+1.5e1') == 15.0 && string(event.data.numbers[2]) == '1e+21'",
  "string(1.0 / 0.0) == '+Inf' && string(-1.0 / 0.0) == '-Inf' && string(true) == 'true'",
  // Times.
  "timestamp(event.data.createdAt) < timestamp('2026-03-29T01:00:00Z')",
  "timestamp(event.data.createdAt) - timestamp('2026-03-29T00:00:00Z') == duration('59m59.5s')",
  "timestamp(event.data.seconds) == timestamp('2023-11-14T22:13:20Z') && int(timestamp(event.data.seconds)) == 1700000000",
  "timestamp('2026-03-29T02:59:59.5+02:00') == timestamp(event.data.createdAt)",
  "string(timestamp('2026-03-29T00:59:59.120Z')) == '2026-03-29T00:59:59.12Z'",
  "string(duration('1h')) == '3600s' && string(duration('-1.5s')) == '-1.5s' && duration('0') == duration('0s')",
  "duration('1us') == duration('1µs') && duration('1.5ms') == duration('1500us') && duration('-1h') < duration('0s')",
  "event.data.times.exists(t, timestamp(t).getMonth() == 1)",
  "timestamp(event.data.createdAt).getHours() == 0 && timestamp(event.data.createdAt).getMilliseconds() == 500",
  // The clocks of Paris go forward a second later.
  "timestamp(event.data.createdAt).getHours('Europe/Paris') == 1",
  "(timestamp(event.data.createdAt) + duration('1s')).getHours('Europe/Paris') == 3",
  "timestamp('2026-01-01T00:30:00Z').getFullYear('America/New_York') == 2025",
  "timestamp('2026-01-01T00:30:00Z').getDayOfYear('-01:00') == 364 && timestamp('2024-12-31T00:00:00Z').getDayOfYear() == 365",
  "timestamp('0001-01-01T00:00:00Z').getDayOfYear() == 0 && timestamp('1960-01-01T00:00:00.5Z').getSeconds() == 0",
  "timestamp('1969-12-31T23:59:59.75Z').getMilliseconds() == 750 && int(timestamp('1969-12-31T23:59:59.75Z')) == -1",
  "duration('-90m').getHours() == -1 && duration('90m').getMinutes() == 90",
  "dyn(timestamp(0)) != dyn(duration('0s')) && dyn(timestamp(0)) != 0 && [timestamp(0)] == [timestamp('1970-01-01T00:00:00Z')]",
  // Keys of maps.
  "{1: 'a', true: 'b', 'x': 'c'}[event.data.numbers[0]] == 'a' && dyn({1: 'a'}) != {'1': 'a'} && dyn(1.0) in {1: 'a'}",
  "{'a': 1}.a == 1 && [{'a': 1}].exists(m, has(m.a) && !has(m.b)) && {2: 'x'}.exists(k, k == 2)",
  "false < true && !(true <= false)",
])("%s", (text) => {
  expect(judge(text)).toBe(true);
});

describe("a failure says what is wrong:", () => {
  test.for([
    ["bool(event.data.text)", "this string cannot become a bool"],
    ["int(9223372036854775807.0) == 1", "this double cannot become an int"],
    ["event.data.text.charAt(6) == ''", "index out of range: 6"],
    ["event.data.text.substring(-1) == ''", "index out of range: -1"],
    ["event.data.text.substring(3, 2) == ''", "the end of a substring is before its start"],
    ["event.data.text.substring(event.data.numbers[1]) == ''", "expected an int and got 2.5"],
    ["event.data.text.split(event.data.flag, event.data.text) == []", "expected an int and got a string"],
    ["event.data.mixed.join(',') == ''", "expected a string and got a double"],
    ["event.data.text.join() == ''", "join() needs a list and got a string"],
    ["event.data.numbers.trim() == ''", "expected a string and got a list"],
    ["timestamp(event.data.text) == event.data.x", 'this string is no timestamp such as "2026-01-31T23:59:59Z"'],
    ["timestamp('2026-02-29T00:00:00Z') == event.data.x", "this string is no timestamp"],
    ["timestamp('2026-01-01T24:00:00Z') == event.data.x", "this string is no timestamp"],
    ["timestamp('2026-01-01 00:00:00') == event.data.x", "this string is no timestamp"],
    ["timestamp(event.data.numbers[2]) == event.data.x", "timestamp out of range"],
    ["duration('1d') == event.data.x", 'this string is no duration such as "1h30m"'],
    ["duration(event.data.long) == event.data.x", "this string is no duration"],
    ["dyn(duration('1h')) * 10 == event.data.x", "no such operation: duration * int"],
    ["duration('3000000h') == event.data.x", "duration out of range"],
    ["dyn(timestamp(0)) + 1 == event.data.x", "no such operation: timestamp + int"],
    ["dyn(timestamp(0)) < dyn(duration('1s'))", "no such comparison: timestamp < duration"],
    ["dyn(duration('1s')).getFullYear() == 1", "a duration has no getFullYear()"],
    ["dyn(event.data.text).getHours() == 1", "a string has no getHours()"],
    ["{1.5: 2} == {}", "the keys of a map must be strings, ints or bools, not double"],
    ["{'a': 1, 'a': 2} == {}", "a key of a map is repeated"],
    ["{1: 2}[3] == 2", "no such key: 3"],
  ] as const)("%s", ([text, error]) => {
    expect(judge(text)).toEqual({ error: expect.stringContaining(error) });
  });
});

describe("an operand that fails is the failure of what needs it:", () => {
  test.for([
    "! == true",
    "-! == 1",
    "[!] == []",
    "{'a': !} == {}",
    "{!: 1} == {}",
    "!.x == 1",
    "![0] == 1",
    "event.data.tags[!] == 'a'",
    "! + 1 == 2",
    "1 + ! == 2",
    "1 in !",
    "! in [1]",
    "has(!.x)",
    "! ? true : false",
    "true ? ! : false",
    "!(!)",
    "size(!) == 1",
    "!.contains('a')",
    "'a'.contains(!)",
    "'a'.replace('a', !) == ''",
    "!.matches('a')",
    "timestamp(!).getHours() == 1",
    "[1].map(x, !) == []",
    "[1].map(x, !, x) == []",
    "[1].filter(x, !) == []",
    "[1].exists_one(x, !)",
    "[1].exists(x, !)",
    "[1].all(x, !)",
    "!.all(x, true)",
    "! || false",
    "true && !",
  ])("%s", (form) => {
    // Where `!` is an operator, it is the first of two.
    const text = form.replaceAll(/!(?!\()/g, "event.data.nope");
    expect(judge(text)).toEqual({ error: 'no such key: "nope"' });
  });
});

describe("refused, with the position of the fault:", () => {
  test.for([
    ["timestamp(0).getHours(event.type) == 1", 23, "a time zone stands as a string in quotes"],
    ["timestamp(0).getHours('Europe/Nowhere') == 1", 23, "no such time zone: Europe/Nowhere"],
    ["timestamp(0).getHours('+25:00') == 1", 23, "no such time zone: +25:00"],
    ["timestamp(0).getHours('+0100') == 1", 23, "no such time zone: +0100"],
    ["timestamp(0) == 1", 1, "no such overload"],
    ["'a'.split(1) == []", 1, "no matching overload"],
    ["'a'.format([]) == ''", 1, "no matching overload"],
  ] as const)("%s", ([text, column, fault]) => {
    expect(compileFilter(text)).toEqual({ fault: expect.stringContaining(fault), position: { line: 1, column } });
  });
});

describe("docs/filters.md", () => {
  const guide = readFileSync(new URL("../../../docs/filters.md", import.meta.url), "utf8");

  test("names every function", () => {
    const names = [...Object.keys(FUNCTIONS), ...Object.keys(METHODS)];
    expect(names.filter((name) => !guide.includes(`${name}(`))).toEqual([]);
  });

  const rows = guide.split("\n").filter((line) => line.startsWith("| `"));
  const examples = rows.flatMap((row) => [...row.matchAll(/`([^`]* == [^`]*)`/g)].map(([, example = ""]) => example));

  test.for(examples)("has an example that is true: %s", (example) => {
    expect(judge(example)).toBe(true);
  });

  test("has examples", () => {
    expect(examples.length).toBeGreaterThan(10);
  });
});
