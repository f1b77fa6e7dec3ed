// The functions of filters: those of CEL's standard library that make sense for JSON and times, and those of its extension
// for strings. Each pays for what it reads and writes, because an event may be large and hostile.

import { isMap, keysOf } from "./maps.ts";
import type { EvaluationFailure, Meter } from "./meter.ts";
import {
  changeAsciiCase,
  countCodePoints,
  findText,
  findTextBackwards,
  replaceText,
  splitText,
  trimText,
  unitOfCodePoint,
} from "./texts.ts";
import { Duration, parseDuration, parseTimestamp, Timestamp, timestampOfSeconds } from "./times.ts";
import { isNumber, readText, toInt, typeName } from "./values.ts";

type Implementation = (args: readonly unknown[], meter: Meter) => unknown;

interface FilterFunction {
  /** The numbers of arguments that it takes, including the receiver. */
  arity: readonly number[];
  run: Implementation;
}

/** Reading or writing a time or a number takes as long as so many nodes. */
const STEPS_PER_TIME = 20;
const STEPS_PER_NUMBER = 4;

const TRUE_TEXTS = new Set(["1", "t", "true", "TRUE", "True"]);
const FALSE_TEXTS = new Set(["0", "f", "false", "FALSE", "False"]);

const size: Implementation = ([value], meter) => {
  if (typeof value === "string") return BigInt(countCodePoints(value, meter));
  if (Array.isArray(value)) return BigInt(value.length);
  if (isMap(value)) return BigInt(keysOf(value, meter).length);
  throw meter.fail(`a ${typeName(value)} has no size`);
};

function cannotBecome(type: string, value: unknown, meter: Meter): EvaluationFailure {
  return meter.fail(`this ${typeName(value)} cannot become ${type}`);
}

const toBoolValue: Implementation = ([value], meter) => {
  if (typeof value === "boolean") return value;
  if (typeof value === "string" && TRUE_TEXTS.has(value)) return true;
  if (typeof value === "string" && FALSE_TEXTS.has(value)) return false;
  throw cannotBecome("a bool", value, meter);
};

const toIntValue: Implementation = ([value], meter) => {
  if (typeof value === "bigint") return value;
  meter.spend(STEPS_PER_NUMBER);
  // The ends of the range are no doubles: the next ones are beyond it.
  if (typeof value === "number" && Math.abs(value) < 2 ** 63) return BigInt(Math.trunc(value));
  if (typeof value === "string" && /^[+-]?[0-9]{1,19}$/.test(value)) return toInt(BigInt(value), meter);
  if (value instanceof Timestamp) return value.epochSeconds;
  throw cannotBecome("an int", value, meter);
};

const toDoubleValue: Implementation = ([value], meter) => {
  if (isNumber(value)) return Number(value);
  meter.spend(STEPS_PER_NUMBER);
  if (typeof value === "string" && /^[+-]?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?$/.test(value)) {
    return Number(value);
  }
  throw cannotBecome("a double", value, meter);
};

const toStringValue: Implementation = ([value], meter) => {
  if (typeof value === "string") return value;
  const isTime = value instanceof Timestamp || value instanceof Duration;
  meter.spend(isTime ? STEPS_PER_TIME : STEPS_PER_NUMBER);
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  if (isTime || typeof value === "boolean" || isNumber(value)) return String(value);
  throw cannotBecome("a string", value, meter);
};

const toTimestampValue: Implementation = ([value], meter) => {
  if (value instanceof Timestamp) return value;
  meter.spend(STEPS_PER_TIME);
  if (typeof value === "string") return parseTimestamp(value, meter);
  if (typeof value === "bigint") return timestampOfSeconds(value, meter);
  // The numbers in an event are doubles.
  if (typeof value === "number" && Number.isInteger(value)) return timestampOfSeconds(BigInt(value), meter);
  throw cannotBecome("a timestamp", value, meter);
};

const toDurationValue: Implementation = ([value], meter) => {
  if (value instanceof Duration) return value;
  meter.spend(STEPS_PER_TIME);
  if (typeof value === "string") return parseDuration(value, meter);
  throw cannotBecome("a duration", value, meter);
};

/** Functions that are called as `f(x)`. */
export const FUNCTIONS: Readonly<Record<string, FilterFunction>> = {
  dyn: { arity: [1], run: ([value]) => value },
  size: { arity: [1], run: size },
  bool: { arity: [1], run: toBoolValue },
  int: { arity: [1], run: toIntValue },
  double: { arity: [1], run: toDoubleValue },
  string: { arity: [1], run: toStringValue },
  timestamp: { arity: [1], run: toTimestampValue },
  duration: { arity: [1], run: toDurationValue },
};

/** @param compare compares a text with a part of at most its own length, from one of its ends. */
const compareEnd = (compare: (text: string, part: string) => boolean): FilterFunction => ({
  arity: [2],
  run: ([value, other], meter) => {
    const [text, part] = [readText(value, meter), readText(other, meter)];
    meter.spendCopy(part.length);
    return compare(text, part);
  },
});

/** @returns an argument that is a whole number: an int, or a number of the event, which is a double. */
function readWhole(value: unknown, meter: Meter): number {
  if (isNumber(value) && Number.isSafeInteger(Number(value))) return Number(value);
  throw meter.fail(`expected an int and got ${isNumber(value) ? String(value) : `a ${typeName(value)}`}`);
}

/** @returns the UTF-16 unit of a code point. The end of the text is a place, too. */
function readPlace(text: string, value: unknown, meter: Meter): number {
  const codePoint = readWhole(value, meter);
  const unit = unitOfCodePoint(text, codePoint, meter);
  if (unit === undefined) throw meter.fail(`index out of range: ${codePoint}`);
  return unit;
}

const charAt: Implementation = ([value, index], meter) => {
  const text = readText(value, meter);
  const unit = readPlace(text, index, meter);
  return unit < text.length ? String.fromCodePoint(text.codePointAt(unit) ?? 0) : "";
};

const indexOf: Implementation = ([value, other, from], meter) => {
  const [text, part] = [readText(value, meter), readText(other, meter)];
  const found = findText(text, part, from === undefined ? 0 : readPlace(text, from, meter), meter);
  return BigInt(found === -1 ? -1 : countCodePoints(text, meter, found));
};

const lastIndexOf: Implementation = ([value, other, from], meter) => {
  const [text, part] = [readText(value, meter), readText(other, meter)];
  const place = from === undefined ? text.length : readPlace(text, from, meter);
  const found = findTextBackwards(text, part, place, meter);
  return BigInt(found === -1 ? -1 : countCodePoints(text, meter, found));
};

const substring: Implementation = ([value, from, to], meter) => {
  const text = readText(value, meter);
  const start = readPlace(text, from, meter);
  const end = to === undefined ? text.length : readPlace(text, to, meter);
  if (start > end) throw meter.fail("the end of a substring is before its start");
  return text.slice(start, end);
};

const readLimit = (value: unknown, meter: Meter): number => (value === undefined ? -1 : readWhole(value, meter));

const join: Implementation = ([value, between = ""], meter) => {
  if (!Array.isArray(value)) throw meter.fail(`join() needs a list and got a ${typeName(value)}`);
  const separator = readText(between, meter);
  for (const item of value as readonly unknown[]) {
    meter.spend(1);
    meter.spendCopy(readText(item, meter).length + separator.length);
  }
  return value.join(separator);
};

/**
 * Functions that are called as `x.f(y)`. `matches` and the fields of times are not here: pattern.ts and time-fields.ts
 * compile them with their arguments.
 */
export const METHODS: Readonly<Record<string, FilterFunction>> = {
  size: { arity: [1], run: size },
  startsWith: compareEnd((text, part) => text.startsWith(part)),
  endsWith: compareEnd((text, part) => text.endsWith(part)),
  contains: {
    arity: [2],
    run: ([text, part], meter) => findText(readText(text, meter), readText(part, meter), 0, meter) !== -1,
  },
  charAt: { arity: [2], run: charAt },
  indexOf: { arity: [2, 3], run: indexOf },
  lastIndexOf: { arity: [2, 3], run: lastIndexOf },
  lowerAscii: { arity: [1], run: ([text], meter) => changeAsciiCase(readText(text, meter), "lower", meter) },
  upperAscii: { arity: [1], run: ([text], meter) => changeAsciiCase(readText(text, meter), "upper", meter) },
  trim: { arity: [1], run: ([text], meter) => trimText(readText(text, meter), meter) },
  substring: { arity: [2, 3], run: substring },
  replace: {
    arity: [3, 4],
    run: ([text, part, replacement, limit], meter) =>
      replaceText(
        readText(text, meter),
        {
          part: readText(part, meter),
          replacement: readText(replacement, meter),
          limit: readLimit(limit, meter),
        },
        meter,
      ),
  },
  split: {
    arity: [2, 3],
    run: ([text, separator, limit], meter) =>
      splitText(readText(text, meter), readText(separator, meter), readLimit(limit, meter), meter),
  },
  join: { arity: [1, 2], run: join },
};
