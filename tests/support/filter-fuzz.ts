// Generates expressions for filters, and events at the size limit that make their evaluation as expensive as they can.

import fc from "fast-check";

type Kind = "bool" | "text" | "number" | "list" | "map" | "time" | "duration" | "any";

/** How deep calls and operators are nested at most. The library refuses expressions of more than 500 nodes anyway. */
const MAX_NESTING = 5;
/** The variables of nested macros. */
const VARIABLES = ["x", "y", "z"];

const PATTERNS = [
  "^batch_[0-9]+$",
  "^(a+)+$",
  "(?i)ab+c",
  "(a|b)*a(a|b){20}",
  "(ab|a|b){1,50}c",
  "(a{30}){30}",
  "[\\pL\\pN]+x",
  "(?i)(\\pL|é){1,40}ß",
  "(x*y*z*a*)*b",
  "aaaaab",
  ".*.*.*=.*",
  "\\bword\\b|^$",
];
const TEXTS = [
  "''",
  "'a'",
  "'b'",
  "'aaaaab'",
  "' '",
  "','",
  "'é'",
  "'😀'",
  "'2026-01-31T23:59:59.5Z'",
  "'1h30m'",
  "'7'",
];
const NUMBERS = ["0", "1", "-1", "3", "250", "100000", "9223372036854775807", "1.5", "1e300"];

/** What a kind is without any call. Variables may be of any kind. */
const LEAVES: Record<Kind, string[]> = {
  bool: ["true", "false", "event.data.flag"],
  text: [...TEXTS, "event.data.text", "event.data.text", "event.data.part", "event.data.words[0]"],
  number: [...NUMBERS, "event.data.number"],
  list: ["[]", "[1, 2, 3]", "event.data.list", "event.data.list", "event.data.words", `[${"0,".repeat(99)}0]`],
  map: ["{}", "{'a': 1}", "{1: 'a', true: 2}", "event.data", "event.data.map", "event.data.map", "event.labels"],
  time: ["timestamp('2026-01-31T23:59:59.5Z')", "timestamp(0)"],
  duration: ["duration('1h30m')", "duration('-0.5s')"],
  any: ["null", "event.data.deep", "event.data.text", "event.data.list", "event.data.map", "event.data.number"],
};

/** `$bool` is an expression of that kind, and `$each` the variable of the macro around. */
const FORMS: Record<Kind, string[]> = {
  bool: [
    "($bool && $bool)",
    "($bool || $bool)",
    "!$bool",
    "($bool ? $bool : $bool)",
    "(dyn($any) == $any)",
    "(dyn($text) != $text)",
    "(dyn($any) in dyn($list))",
    "(dyn($any) in dyn($map))",
    "($text < $text)",
    "(dyn($number) >= dyn($number))",
    "($time < $time)",
    "$text.contains($text)",
    "$text.startsWith($text)",
    "$text.endsWith($text)",
    "$text.matches($pattern)",
    "dyn($list).all($each, $bool)",
    "dyn($list).exists($each, $bool)",
    "dyn($map).exists($each, $bool)",
    "dyn($list).exists_one($each, $bool)",
    "bool($text)",
    "has(event.data.nope)",
  ],
  text: [
    "($text + $text)",
    "$text.lowerAscii()",
    "$text.upperAscii()",
    "$text.trim()",
    "$text.substring(int($number))",
    "$text.substring(int($number), int($number))",
    "$text.charAt(int($number))",
    "$text.replace($text, $text)",
    "$text.replace($text, $text, int($number))",
    "string(dyn($any))",
    "dyn($list).join($text)",
    "dyn($list)[int($number)]",
    "dyn($map)[$text]",
  ],
  number: [
    "(dyn($number) + dyn($number))",
    "(dyn($number) * dyn($number))",
    "(dyn($number) % dyn($number))",
    "size(dyn($any))",
    "$text.size()",
    "$text.indexOf($text)",
    "$text.indexOf($text, int($number))",
    "$text.lastIndexOf($text)",
    "int($text)",
    "double($text)",
    "$time.getDayOfYear()",
    "$time.getHours('America/St_Johns')",
    "$duration.getMinutes()",
  ],
  list: [
    "(dyn($list) + dyn($list))",
    "dyn($list).map($each, $any)",
    "dyn($list).map($each, $bool, $any)",
    "dyn($list).filter($each, $bool)",
    "dyn($map).map($each, $any)",
    "$text.split($text)",
    "$text.split($text, int($number))",
    "[dyn($any), dyn($any), dyn($any)]",
  ],
  map: ["{'a': dyn($any), 'b': dyn($any)}", "{$text: dyn($any)}", "($bool ? $map : $map)"],
  time: ["timestamp($text)", "timestamp(int($number))", "($time + $duration)"],
  duration: ["duration($text)", "($time - $time)", "($duration + $duration)"],
  any: ["$bool", "$text", "$number", "$list", "$map", "$time", "$duration"],
};

const arbitraries = new Map<string, fc.Arbitrary<string>>();

/** @param variables how many variables of macros are in scope. */
function expressionOf(kind: Kind, nesting: number, variables: number): fc.Arbitrary<string> {
  const key = `${kind} ${nesting} ${variables}`;
  const known = arbitraries.get(key);
  if (known !== undefined) return known;
  const scope = VARIABLES.slice(0, variables).map((name) => (kind === "any" ? name : `dyn(${name})`));
  const leaf = fc.constantFrom(...LEAVES[kind], ...scope);
  const forms = FORMS[kind].filter((form) => !form.includes("$each") || variables < VARIABLES.length);
  const made =
    nesting === 0
      ? leaf
      : fc
          .oneof({ arbitrary: leaf, weight: 1 }, { arbitrary: fc.constantFrom(...forms), weight: 5 })
          .chain((form) => fill(form, nesting - 1, variables));
  arbitraries.set(key, made);
  return made;
}

function fill(form: string, nesting: number, variables: number): fc.Arbitrary<string> {
  const pieces = form.split(/(\$[a-z]+)/);
  // What stands behind the name of a macro's variable may use the variable.
  let inScope = variables;
  const arbitraryPieces = pieces.map((piece) => {
    if (!piece.startsWith("$")) return fc.constant(piece);
    if (piece === "$pattern") return fc.constantFrom(...PATTERNS.map((pattern) => `r'${pattern}'`));
    if (piece === "$each") {
      inScope += 1;
      return fc.constant(VARIABLES[inScope - 1] ?? "x");
    }
    return expressionOf(piece.slice(1) as Kind, nesting, inScope);
  });
  return fc.tuple(...arbitraryPieces).map((filled) => filled.join(""));
}

/** Expressions that give a bool, of at most 2,000 characters. Few of them are refused for their types. */
export const filterExpressions: fc.Arbitrary<string> = fc
  .integer({ min: 1, max: MAX_NESTING })
  .chain((nesting) => expressionOf("bool", nesting, 0))
  .filter((text) => text.length <= 2_000);

const MAX_BODY_BYTES = 1024 * 1024;

/** @returns an array in JSON with as many copies of an item as fit. */
const listOf = (item: string) =>
  `[${Array(Math.floor((MAX_BODY_BYTES - 600) / (item.length + 1)))
    .fill(item)
    .join(",")}]`;
const textOf = (unit: string, bytes = MAX_BODY_BYTES - 600) =>
  JSON.stringify(unit.repeat(Math.floor(bytes / Buffer.byteLength(unit))));

function mapOf(keyAt: (index: number) => string): string {
  const entries: string[] = [];
  let length = 600;
  for (let index = 0; ; index += 1) {
    const entry = `${JSON.stringify(keyAt(index))}:0`;
    length += entry.length + 1;
    if (length > MAX_BODY_BYTES) return `{${entries.join(",")}}`;
    entries.push(entry);
  }
}

/** The fields of `event.data` that differ from the small ones, as JSON. */
const SHAPES: Record<string, Record<string, string>> = {
  small: {},
  "one letter": { text: textOf("a"), part: '"aaaaab"' },
  "a part that matches from its end": {
    text: textOf("a", 600_000),
    part: `"${"a".repeat(100)}b${"a".repeat(400_000)}"`,
  },
  "a part of the length at which the search changes": {
    text: textOf("a"),
    part: `"${"a".repeat(100)}b${"a".repeat(150)}"`,
  },
  "two letters": { text: textOf("ab"), part: '"abababac"' },
  "letters between others": { text: textOf("aé"), part: '"é"' },
  "pairs of surrogates": { text: textOf("😀"), part: '"😀"' },
  "white space": { text: textOf(" "), part: '" "' },
  "other white space": { text: textOf("\u2003"), part: '"\\u2003"' },
  separators: { text: textOf(","), part: '","' },
  numbers: { list: listOf("1") },
  doubles: { list: listOf("0.123456789") },
  "empty lists": { list: listOf("[]") },
  "empty maps": { list: listOf("{}") },
  "small maps": { list: listOf('{"a":1}') },
  words: { words: listOf('"a"'), list: '["a"]' },
  "many letters": { words: listOf('"abcdefghijklmnopqrstuvwxyz"') },
  "long words": { words: `[${Array(16).fill(textOf("a", 60_000)).join(",")}]` },
  times: { words: listOf('"2026-01-31T23:59:59.123Z"') },
  keys: { map: mapOf((index) => index.toString(36).padStart(4, "_")) },
  "keys that look like numbers": { map: mapOf(String) },
  "long keys": { map: mapOf((index) => `${"k".repeat(20_000)}${index}`), part: `"${"k".repeat(20_000)}1"` },
  deep: { deep: `${"[".repeat(200_000)}${"]".repeat(200_000)}` },
  "deep maps": { deep: `${'{"a":'.repeat(150_000)}1${"}".repeat(150_000)}` },
};

const SMALL: Record<string, string> = {
  text: '"batch_1 of a thousand"',
  part: '"a"',
  list: "[1,2,3]",
  words: '["a","b"]',
  map: '{"a":1}',
  deep: "[[1]]",
  number: "3",
  flag: "true",
};

/** Bodies of events, by what is large in them. None is above the default limit of a body. */
export const hostileBodies: ReadonlyMap<string, Buffer> = new Map(
  Object.entries(SHAPES).map(([name, fields]) => {
    const data = Object.entries({ ...SMALL, ...fields }).map(([field, json]) => `"${field}":${json}`);
    return [name, Buffer.from(`{"type":"batch.succeeded","data":{${data.join(",")}}}`)];
  }),
);
