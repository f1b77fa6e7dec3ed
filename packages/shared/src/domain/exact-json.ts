// JSON whose numbers keep all their digits. JavaScript reads 9007199254740993 as ...992, and 1e400 as infinity. What a
// caller gave MUST be delivered, shown and found as it was given, so such a number is kept as its text.

declare global {
  // V8 has them since 2023, and TypeScript does not describe them yet:
  // https://tc39.es/proposal-json-parse-with-source/
  interface JSON {
    rawJSON(text: string): { rawJSON: string };
    isRawJSON(value: unknown): value is { rawJSON: string };
  }
}

/** Only a text with a match can hold a number that is not exact. */
const LONG_NUMBER = /[\d.]{16}|\d[eE]/;
/**
 * The characters of a number without an exponent, as jsonb writes it. jsonb takes many more. Nobody writes them, and so many
 * numbers of this size would be a burden.
 */
export const MAX_NUMBER_LENGTH = 1_000;

/** Two different numbers with at most this many digits are always two different doubles. */
const EXACT_DIGITS = 15;
/** Below this value the digits of a double are fewer. */
const MIN_NORMAL = 2 ** -1022;

/** Whether a JSON text may hold a number that a double cannot store. Quick; not exact. */
export function mayHoldLongNumber(text: string): boolean {
  return LONG_NUMBER.test(text);
}

/**
 * Parses JSON. A number that a double cannot store exactly becomes the object of `JSON.rawJSON`, which `JSON.stringify`
 * writes as the same digits.
 * @param onRounded called with the name or index of each number above {@link MAX_NUMBER_LENGTH}, which is rounded.
 * @throws SyntaxError when the text is not JSON. RangeError when the text may hold such a number and is nested some
 *   thousand levels deep.
 */
export function parseExactJson(text: string, onRounded?: (key: string) => void): unknown {
  if (!mayHoldLongNumber(text)) return JSON.parse(text);
  const revive = (key: string, value: unknown, context?: { source?: string }): unknown => {
    const source = context?.source;
    if (typeof value !== "number" || source === undefined || isExactNumber(source)) return value;
    if (isKept(source)) return JSON.rawJSON(source);
    onRounded?.(key);
    return value;
  };
  return JSON.parse(text, revive as Parameters<JSON["parse"]>[1]);
}

function isKept(source: string): boolean {
  const exponent = Number(/[eE]([+-]?\d+)$/.exec(source)?.[1] ?? 0);
  return source.length + Math.abs(exponent) <= MAX_NUMBER_LENGTH;
}

/** The value with doubles in place of the texts of its numbers, for code that calculates. */
export function roundNumbers(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (JSON.isRawJSON(value)) return Number(value.rawJSON);
  if (Array.isArray(value)) return value.map(roundNumbers);
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, roundNumbers(child)]));
}

/**
 * Whether no different number becomes the same double. Other spellings of the same number may.
 * @param text a number as JSON writes it.
 */
export function isExactNumber(text: string): boolean {
  const value = Number(text);
  if (String(value) === text) return true;
  const digits = text
    .replace(/[eE].*$/, "")
    .replace(/[-.]/g, "")
    .replace(/^0+|0+$/g, "");
  if (digits === "") return true;
  return digits.length <= EXACT_DIGITS && Number.isFinite(value) && Math.abs(value) >= MIN_NORMAL;
}
