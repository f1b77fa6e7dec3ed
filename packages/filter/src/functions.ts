// The functions of filters: the functions of CEL's standard library that make sense for JSON, without those whose result can
// be much larger than their arguments.

import { isMap, isNumber, keysOf, type Meter, readText, toInt, typeName } from "./values.ts";

type Implementation = (args: readonly unknown[], meter: Meter) => unknown;

interface FilterFunction {
  /** The number of arguments, including the receiver. */
  arity: number;
  run: Implementation;
}

const size: Implementation = ([value], meter) => {
  if (typeof value === "string") {
    // A size is in code points, and counting them takes time.
    meter.spend(value.length >> 3);
    return BigInt(countCodePoints(value));
  }
  if (Array.isArray(value)) return BigInt(value.length);
  if (isMap(value)) return BigInt(keysOf(value, meter).length);
  throw meter.fail(`a ${typeName(value)} has no size`);
};

function countCodePoints(value: string): number {
  let count = 0;
  for (let index = 0; index < value.length; count++) index += (value.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  return count;
}

const toAsciiCase = (pattern: RegExp, change: (letter: string) => string): FilterFunction => ({
  arity: 1,
  run: ([value], meter) => readText(value, meter).replaceAll(pattern, change),
});

const compare = (test: (value: string, part: string) => boolean): FilterFunction => ({
  arity: 2,
  run: ([value, part], meter) => test(readText(value, meter), readText(part, meter)),
});

/** Functions that are called as `f(x)`. */
export const FUNCTIONS: Readonly<Record<string, FilterFunction>> = {
  dyn: { arity: 1, run: ([value]) => value },
  size: { arity: 1, run: size },
  string: {
    arity: 1,
    run: ([value], meter) => {
      if (typeof value === "string" || typeof value === "boolean" || isNumber(value)) return String(value);
      throw meter.fail(`a ${typeName(value)} cannot become a string`);
    },
  },
  int: {
    arity: 1,
    run: ([value], meter) => {
      if (typeof value === "bigint") return value;
      if (typeof value === "number" && Number.isFinite(value)) return toInt(BigInt(Math.trunc(value)), meter);
      if (typeof value === "string" && /^-?[0-9]{1,19}$/.test(value)) return toInt(BigInt(value), meter);
      throw meter.fail(`this ${typeName(value)} cannot become an int`);
    },
  },
  double: {
    arity: 1,
    run: ([value], meter) => {
      if (isNumber(value)) return Number(value);
      if (typeof value === "string" && /^-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?$/.test(value)) {
        return Number(value);
      }
      throw meter.fail(`this ${typeName(value)} cannot become a double`);
    },
  },
};

/** Functions that are called as `x.f(y)`. `matches` is not here, because pattern.ts compiles it with its pattern. */
export const METHODS: Readonly<Record<string, FilterFunction>> = {
  size: { arity: 1, run: size },
  startsWith: compare((value, part) => value.startsWith(part)),
  endsWith: compare((value, part) => value.endsWith(part)),
  contains: {
    arity: 2,
    run: ([value, part], meter) => {
      const [haystack, needle] = [readText(value, meter), readText(part, meter)];
      // In the worst case a search reads the text once for each 256 characters that it searches for.
      meter.spendText(haystack.length * (needle.length >> 8));
      return haystack.includes(needle);
    },
  },
  lowerAscii: toAsciiCase(/[A-Z]/g, (letter) => letter.toLowerCase()),
  upperAscii: toAsciiCase(/[a-z]/g, (letter) => letter.toUpperCase()),
};
