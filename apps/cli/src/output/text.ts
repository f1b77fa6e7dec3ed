// Text for a terminal: its width in columns, shortened to a width, and without characters that a terminal takes for commands.

import stringWidth from "string-width";

/** C0 and C1 controls, and what turns the direction of text around. A sender chooses much of what is shown here. */
// oxlint-disable-next-line no-control-regex -- these are what it is about.
const COMMANDS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const SHORT_FORMS: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const graphemes = new Intl.Segmenter();

/** Shows each control character by its escape, so that it does nothing. */
export function visibleText(text: string): string {
  return text.replaceAll(
    COMMANDS,
    (character) => SHORT_FORMS[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The columns that text takes in a terminal. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

/** Cuts text to a width, and ends it with … where something was cut. */
export function shorten(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let short = "";
  let taken = 1;
  for (const { segment } of graphemes.segment(text)) {
    taken += widthOf(segment);
    if (taken > width) break;
    short += segment;
  }
  return `${short}…`;
}

/** Breaks text at spaces into lines of a width. A longer word, such as a URL, stays whole: somebody copies it. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && widthOf(last) + 1 + widthOf(word) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Breaks text wherever a line of this width is full, so that all of it can be read. */
export function breakText(text: string, width: number): string[] {
  // A large body is mostly ASCII, where a character is a column.
  if (/^[\u0020-\u007e]+$/.test(text))
    return Array.from({ length: Math.ceil(text.length / width) }, (_, at) => text.slice(at * width, (at + 1) * width));
  const lines = [""];
  let taken = 0;
  for (const { segment } of graphemes.segment(text)) {
    const wide = widthOf(segment);
    if (taken > 0 && taken + wide > width) {
      lines.push("");
      taken = 0;
    }
    lines[lines.length - 1] += segment;
    taken += wide;
  }
  return lines;
}

const BYTES = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** Such as `730 MiB`. */
export function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(BYTES.length - 1, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** power;
  return `${amount >= 10 || power === 0 ? Math.round(amount) : amount.toFixed(1)} ${BYTES[power]}`;
}
