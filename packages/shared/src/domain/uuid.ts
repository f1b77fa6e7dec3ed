// UUIDs as text and as bytes, for the hot path: an event has a dozen on its way through PostgreSQL, and Buffer's hex
// would need them without their dashes.

const LENGTH = 36;
const DASHES = [8, 13, 18, 23];
/** Where in the text each of the sixteen bytes is. */
const DIGIT_PAIRS = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
/** By the code of a character, the value of the digit; -1 where it is none. */
const VALUES = Int8Array.from({ length: 128 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(value) ? -1 : value;
});
const DIGITS = Buffer.from("0123456789abcdef");

/** The text that is being made, dashes and all. */
const characters = Buffer.alloc(LENGTH, "-");

/** @param bytes sixteen. @returns in lower case. */
export function uuidText(bytes: Uint8Array): string {
  let index = 0;
  for (const place of DIGIT_PAIRS) {
    const byte = bytes[index++] ?? 0;
    characters[place] = DIGITS[byte >> 4] ?? 0;
    characters[place + 1] = DIGITS[byte & 15] ?? 0;
  }
  // In one piece: a text that is put together of its parts stays a tree of them until somebody reads it.
  return characters.toString("latin1");
}

/** @returns where the sixteen bytes end. @throws TypeError for any other text. */
export function writeUuid(uuid: string, into: Uint8Array, at: number): number {
  let bits = 0;
  let end = at;
  for (const place of DIGIT_PAIRS) {
    const byte = (hexDigit(uuid, place) << 4) | hexDigit(uuid, place + 1);
    bits |= byte;
    into[end++] = byte;
  }
  // What is no digit is negative, and so is all that it is joined with.
  if (bits < 0 || uuid.length !== LENGTH || DASHES.some((place) => uuid[place] !== "-")) {
    throw new TypeError("This is not a UUID");
  }
  return end;
}

/** The value of a digit in a text; -1 where there is none. */
export function hexDigit(text: string, at: number): number {
  return VALUES[text.charCodeAt(at)] ?? -1;
}
