// What filters do with texts. CEL counts and compares in code points, and JavaScript in UTF-16 units. V8 does the work on
// whole texts. Each function pays for what it reads and writes, in pieces small enough that the limit holds.

import type { Meter } from "./meter.ts";

/**
 * V8 searches for a part of so many characters in time linear in the text. A longer part can take their product: in half
 * a megabyte of `a`, looking for 1,900 `a` behind 100 `a` and a `b` takes 600 ms.
 */
const LINEAR_PART = 250;
/** A search is paid for window by window, so that it ends soon after the steps do. */
const WINDOW = 4_096;
/** A call of a search takes as long as so many nodes. */
const STEPS_PER_SEARCH = 2;
/** V8 searches backwards by comparing the part at each place. */
const COMPARED_PER_STEP = 32;

/** Whether code points and UTF-16 units are the same in a text, because it is ASCII. */
function isAscii(text: string, meter: Meter): boolean {
  meter.spendCopy(text.length);
  return Buffer.byteLength(text) === text.length;
}

/** @returns how many code points are in the first `units` UTF-16 units. */
export function countCodePoints(text: string, meter: Meter, units = text.length): number {
  if (isAscii(text, meter)) return units;
  meter.spendScan(units);
  let count = 0;
  for (let unit = 0; unit < units; count += 1) unit += widthAt(text, unit);
  return count;
}

/** @returns the UTF-16 unit at which a code point begins, or undefined when the text is shorter. */
export function unitOfCodePoint(text: string, codePoint: number, meter: Meter): number | undefined {
  if (codePoint < 0 || codePoint > text.length) return undefined;
  if (isAscii(text, meter)) return codePoint;
  meter.spendScan(text.length);
  let unit = 0;
  for (let count = 0; count < codePoint; count += 1) {
    if (unit >= text.length) return undefined;
    unit += widthAt(text, unit);
  }
  return unit;
}

const widthAt = (text: string, unit: number): number => ((text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1);

/** @returns a negative number, 0 or a positive number. JavaScript's `<` differs for code points above U+FFFF. */
export function compareTexts(a: string, b: string, meter: Meter): number {
  meter.spendCopy(a.length + b.length);
  // Where one of the texts is ASCII, the first difference is, too.
  if (isAscii(a, meter) || isAscii(b, meter)) {
    if (a === b) return 0;
    return a < b ? -1 : 1;
  }
  // UTF-8 sorts as the code points do. It takes up to three bytes for a unit.
  meter.spendSearch(a.length + b.length);
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** @returns the UTF-16 unit of the first place of a part at or after a unit, or -1. */
export function findText(text: string, part: string, from: number, meter: Meter): number {
  const head = part.slice(0, LINEAR_PART);
  const end = text.length - part.length + 1;
  let at = from;
  while (at < end) {
    const window = text.slice(at, Math.min(at + WINDOW, end) + head.length - 1);
    const found = window.indexOf(head);
    meter.spend(STEPS_PER_SEARCH);
    meter.spendSearch(found === -1 ? window.length : found + head.length);
    if (found === -1) {
      at += WINDOW;
      continue;
    }
    at += found;
    if (part.length === head.length) return at;
    meter.spendCopy(part.length);
    if (text.startsWith(part, at)) return at;
    at += 1;
  }
  return -1;
}

/** @returns the UTF-16 unit of the last place of a part at or before a unit, or -1. */
export function findTextBackwards(text: string, part: string, from: number, meter: Meter): number {
  meter.spend(Math.ceil((text.length * (part.length + 1)) / COMPARED_PER_STEP));
  return text.lastIndexOf(part, from);
}

/** Changes the letters of ASCII alone. */
export function changeAsciiCase(text: string, to: "lower" | "upper", meter: Meter): string {
  if (isAscii(text, meter)) {
    meter.spendSearch(text.length);
    return to === "lower" ? text.toLowerCase() : text.toUpperCase();
  }
  meter.spendScan(text.length);
  const bytes = Buffer.from(text, "utf16le");
  const first = to === "lower" ? 0x41 : 0x61;
  for (let low = 0; low < bytes.length; low += 2) {
    const unit = bytes[low] ?? 0;
    // The other case of a letter differs in one bit.
    if (bytes[low + 1] === 0 && unit >= first && unit < first + 26) bytes[low] = unit ^ 0x20;
  }
  return bytes.toString("utf16le");
}

/** Removes what Unicode calls white space, as CEL does. JavaScript's `trim` keeps U+0085 and removes U+FEFF. */
export function trimText(text: string, meter: Meter): string {
  let start = 0;
  while (start < text.length && isSpaceAt(text, start, meter)) start += 1;
  let end = text.length;
  while (end > start && isSpaceAt(text, end - 1, meter)) end -= 1;
  return text.slice(start, end);
}

function isSpaceAt(text: string, unit: number, meter: Meter): boolean {
  if (unit % 4 === 0) meter.spend(1);
  const code = text.charCodeAt(unit);
  return (
    code === 0x20 ||
    (code >= 0x09 && code <= 0x0d) ||
    code === 0x85 ||
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
  );
}

/** Splits at a separator, or between code points at `""`. A limit that is not negative is the most parts to return. */
export function splitText(text: string, separator: string, limit: number, meter: Meter): string[] {
  if (limit === 0 || (text === "" && separator === "")) return [];
  const most = limit < 0 ? Infinity : limit;
  const parts: string[] = [];
  let from = 0;
  while (parts.length < most - 1) {
    const at = separator === "" ? nextCodePoint(text, from) : findText(text, separator, from, meter);
    if (at === -1) break;
    meter.spend(1);
    parts.push(text.slice(from, at));
    from = at + separator.length;
  }
  parts.push(text.slice(from));
  return parts;
}

/** @returns where the code point after one begins, or -1 when the text ends there. */
function nextCodePoint(text: string, unit: number): number {
  const next = unit + widthAt(text, unit);
  return next < text.length ? next : -1;
}

/** Replaces the first places of a part, all of them when the limit is negative. `""` is before each code point and at the end. */
export function replaceText(
  text: string,
  { part, replacement, limit }: { part: string; replacement: string; limit: number },
  meter: Meter,
): string {
  const most = limit < 0 ? Infinity : limit;
  const pieces: string[] = [];
  let from = 0;
  for (let count = 0; count < most; count += 1) {
    let at: number;
    if (part !== "") at = findText(text, part, from, meter);
    else if (count === 0) at = 0;
    else at = from < text.length ? from + widthAt(text, from) : -1;
    if (at === -1) break;
    meter.spend(1);
    meter.spendCopy(replacement.length);
    pieces.push(text.slice(from, at), replacement);
    from = at + part.length;
  }
  if (pieces.length === 0) return text;
  meter.spendCopy(text.length);
  pieces.push(text.slice(from));
  return pieces.join("");
}
