// A list as one parameter, in PostgreSQL's binary format. The driver would write it as text, and PostgreSQL read that
// text: docs/decisions/0017 says what this costs in the two large statements.

/** Of one dimension, from 1 on: `array_recv` of PostgreSQL, as are the headers below. */
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;
/** PostgreSQL counts from 2000 on, in microseconds. */
const EPOCH_MS = Date.UTC(2000, 0, 1);
const JSONB_VERSION = 1;
const DASH = 0x2d;

interface ElementType<T> {
  /** Of `pg_type`, and the same in every PostgreSQL. */
  oid: number;
  sizeOf: (value: T) => number;
  /** MUST write as many bytes as `sizeOf` said. */
  write: (value: T, into: Buffer, at: number) => void;
}

const fixed = (bytes: number) => () => bytes;

const TYPES = {
  boolean: element<boolean>(16, fixed(1), (value, into, at) => into.writeUInt8(value ? 1 : 0, at)),
  bytea: element<Uint8Array>(
    17,
    (value) => value.length,
    (value, into, at) => into.set(value, at),
  ),
  int4: element<number>(23, fixed(4), (value, into, at) => into.writeInt32BE(value, at)),
  float8: element<number>(701, fixed(8), (value, into, at) => into.writeDoubleBE(value, at)),
  text: element<string>(
    25,
    (value) => Buffer.byteLength(value),
    (value, into, at) => into.write(value, at),
  ),
  /** Milliseconds since 1970. */
  timestamptz: element<number>(1184, fixed(8), (value, into, at) =>
    into.writeBigInt64BE(BigInt(Math.trunc(value) - EPOCH_MS) * 1000n, at),
  ),
  uuid: element<string>(2950, fixed(16), writeUuid),
  /** JSON as text. */
  jsonb: element<string>(
    3802,
    (value) => 1 + Buffer.byteLength(value),
    (value, into, at) => into.write(value, into.writeUInt8(JSONB_VERSION, at)),
  ),
};

type TypeName = keyof typeof TYPES;
type ValueOf<N extends TypeName> = (typeof TYPES)[N] extends ElementType<infer T> ? T : never;

/**
 * One value of each row, for a parameter that the statement casts: `$1::uuid[]`. Undefined is NULL too, as with the driver.
 * @throws TypeError, RangeError when a value is not one of the type.
 */
export function binaryArray<N extends TypeName, Row>(
  type: N,
  rows: readonly Row[],
  valueOf: (row: Row) => ValueOf<N> | null | undefined,
): Buffer {
  const { oid, sizeOf, write } = TYPES[type] as unknown as ElementType<ValueOf<N>>;
  const values = rows.map((row) => valueOf(row) ?? null);
  const sizes = values.map((value) => (value === null ? NULL_LENGTH : sizeOf(value)));
  const bytes = sizes.reduce((sum, size) => sum + LENGTH_BYTES + Math.max(0, size), HEADER_BYTES);
  const array = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const field of [1, sizes.includes(NULL_LENGTH) ? 1 : 0, oid, rows.length, 1]) at = array.writeInt32BE(field, at);
  for (const [index, value] of values.entries()) {
    const size = sizes[index] ?? NULL_LENGTH;
    at = array.writeInt32BE(size, at);
    if (value === null) continue;
    write(value, array, at);
    at += size;
  }
  return array;
}

function element<T>(oid: number, sizeOf: ElementType<T>["sizeOf"], write: ElementType<T>["write"]): ElementType<T> {
  return { oid, sizeOf, write };
}

/** In a loop of its own: an event has a dozen, and Buffer's hex would need them without their dashes. */
function writeUuid(uuid: string, into: Buffer, at: number): void {
  let digits = 0;
  for (let index = 0; index < uuid.length; index++) {
    const code = uuid.charCodeAt(index);
    if (code === DASH) continue;
    const digit = hexDigit(code);
    if (digit === undefined) break;
    const byte = at + (digits >> 1);
    if (digits < 32) into[byte] = digits % 2 === 0 ? digit << 4 : (into[byte] ?? 0) | digit;
    digits += 1;
  }
  if (digits !== 32 || uuid.length !== 36) throw new TypeError("This is not a UUID");
}

function hexDigit(code: number): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : undefined;
}
