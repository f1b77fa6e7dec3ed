// Ids: UUIDv7 in the database, TypeIDs (`evt_…`, https://github.com/jetify-com/typeid) everywhere a person
// or another program sees one. Both sort by time.

import { hash, randomFillSync } from "node:crypto";
import { v7 } from "uuid";

import { SluiceError } from "../runtime/errors.ts";
import { hexDigit, uuidText } from "./uuid.ts";

export type IdPrefix = "src" | "evt" | "tgt" | "dlv" | "att" | "rej" | "key" | "itk" | "aud" | "opr";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
/** For each ten bits. */
const LETTER_PAIRS = ALPHABET.split("").flatMap((first) => ALPHABET.split("").map((second) => first + second));
const VALUES = new Map(ALPHABET.split("").map((symbol, value) => [symbol, BigInt(value)]));

/** 48 bits: RFC 9562, 5.7. Reached in the year 10889, and by any id that somebody makes up. */
const MAX_ID_MS = 2 ** 48 - 1;
/** No id is larger. */
export const LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/** Random bytes are fetched for so many ids at once: for each alone, the system call is most of its cost. */
const RANDOM_IDS = 256;
const RANDOM_BYTES = 16;
const randomBytes = Buffer.alloc(RANDOM_IDS * RANDOM_BYTES);
/** Those of one id each, made once. */
const randomParts = Array.from({ length: RANDOM_IDS }, (_, id) =>
  randomBytes.subarray(id * RANDOM_BYTES, (id + 1) * RANDOM_BYTES),
);
let randomTaken = RANDOM_IDS;
/** The last id's: the sequence makes ids of one millisecond follow each other (RFC 9562, 6.2, method 1). */
const last = { msecs: 0, seq: 0, random: randomBytes };

/** Of the id that is being made. */
const bytes = Buffer.alloc(16);
/** Of what it is made. */
const digest = Buffer.alloc(16);

/** A new UUIDv7, larger than every earlier one of this process. */
export function newId(): string {
  if (randomTaken === RANDOM_IDS) {
    randomFillSync(randomBytes);
    randomTaken = 0;
  }
  last.random = randomParts[randomTaken++] ?? randomBytes;
  const nowMs = Date.now();
  if (nowMs > last.msecs) {
    // 31 bits of 32 at random, so that there is room above.
    last.msecs = nowMs;
    last.seq = last.random.readUInt32BE(6) >>> 1;
  } else {
    // The clock stands still or was set back. What is left of 2^32 outlasts any such time.
    last.seq += 1;
  }
  return uuidText(v7(last, bytes));
}

/**
 * The id of the one delivery of an event to a target: the event's milliseconds and a hash of both, so that
 * making it again gives the same id and the primary key refuses a second delivery.
 */
export function deliveryId(eventId: string, targetId: string): string {
  // As a buffer, a digest takes three times as long.
  digest.write(hash("sha256", eventId + targetId, "hex"), "hex");
  return uuidText(v7({ msecs: idTime(eventId), random: digest }, bytes));
}

/** Milliseconds since 1970 at which an id was made. */
export function idTime(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}

/** The smallest id of a millisecond; mirrors `uuid_floor` in the schema. After the last that an id can hold: the largest id. */
export function idFloor(ms: number): string {
  if (ms > MAX_ID_MS) return LAST_ID;
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** The largest id of the millisecond of an id. */
export function idCeiling(uuid: string): string {
  return `${uuid.slice(0, 13)}-ffff-ffff-ffffffffffff`;
}

/** The id after one; the last has none. */
export function nextId(uuid: string): string {
  return toUuid(BigInt(`0x${uuid.replaceAll("-", "")}`) + 1n);
}

function toUuid(bits: bigint): string {
  return uuidText(Buffer.from(bits.toString(16).padStart(32, "0"), "hex"));
}

/** `("evt", uuid)` to `evt_` and 26 letters of Crockford's base32. */
export function formatId(prefix: IdPrefix, uuid: string): string {
  // 128 bits with two zeros before them are thirteen times ten. Any other text becomes something too: an id is written
  // with every log line, also of what is broken.
  let text = `${prefix}_`;
  let bits = 0;
  let count = 2;
  for (let at = 0; at < uuid.length; at++) {
    const digit = hexDigit(uuid, at);
    if (digit < 0) continue;
    bits = ((bits & 0x3ff) << 4) | digit;
    count += 4;
    if (count < 10) continue;
    count -= 10;
    text += LETTER_PAIRS[(bits >> count) & 0x3ff] ?? "";
  }
  return text;
}

/** The UUID of a TypeID with this prefix, or undefined when the text is not one. */
export function readId(prefix: IdPrefix, text: string): string | undefined {
  // The first letter holds the top 3 bits of 128, so it is at most 7 (TypeID, "overflow").
  if (!text.startsWith(`${prefix}_`) || text.length !== prefix.length + 27 || text.charAt(prefix.length + 1) > "7") {
    return undefined;
  }
  let bits = 0n;
  for (const symbol of text.slice(prefix.length + 1)) {
    const value = VALUES.get(symbol);
    if (value === undefined) return undefined;
    bits = (bits << 5n) | value;
  }
  return toUuid(bits);
}

/** Like {@link readId}. @throws SluiceError `invalid_id` naming the field. */
export function parseId(prefix: IdPrefix, text: string, field: string): string {
  const uuid = readId(prefix, text);
  if (uuid === undefined) {
    throw new SluiceError("invalid_id", `${field} must be an id that starts with "${prefix}_"`, {
      faults: [{ pointer: field, detail: `must look like ${prefix}_01h455vb4pex5vsknk084sn02q` }],
    });
  }
  return uuid;
}
