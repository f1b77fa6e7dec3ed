// Writes a list as one parameter in PostgreSQL's binary format. The driver would write a list as text, which PostgreSQL
// then has to parse: docs/decisions/0017 has the cost of that in the two large statements.

import { writeUuid } from "@sluice/shared/domain/uuid";

/** The header of an array of one dimension whose first index is 1. PostgreSQL's `array_recv` defines the format. */
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;
/** PostgreSQL counts microseconds since 2000. */
const EPOCH_MS = Date.UTC(2000, 0, 1);
const JSONB_VERSION = 1;

interface ElementType<T> {
  /** The type's oid in `pg_type`, which is the same in every PostgreSQL. */
  oid: number;
  /** The bytes that `write` writes. */
  sizeOf: (value: T) => number;
  /** MUST write exactly `sizeOf` bytes. @returns the offset behind them. */
  write: (value: T, into: Buffer, at: number) => number;
}

const fixed = (bytes: number) => () => bytes;

const TYPES = {
  boolean: element<boolean>(16, fixed(1), (value, into, at) => into.writeUInt8(value ? 1 : 0, at)),
  bytea: element<Uint8Array>(
    17,
    (value) => value.length,
    (value, into, at) => {
      into.set(value, at);
      return at + value.length;
    },
  ),
  int4: element<number>(23, fixed(4), (value, into, at) => into.writeInt32BE(value, at)),
  float8: element<number>(701, fixed(8), (value, into, at) => into.writeDoubleBE(value, at)),
  text: element<string>(
    25,
    (value) => Buffer.byteLength(value),
    (value, into, at) => at + into.write(value, at),
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
    (value, into, at) => at + 1 + into.write(value, into.writeUInt8(JSONB_VERSION, at)),
  ),
};

type TypeName = keyof typeof TYPES;
type ValueOf<N extends TypeName> = (typeof TYPES)[N] extends ElementType<infer T> ? T : never;

/**
 * Writes one value of each row as an array, for a parameter that the statement casts, such as `$1::uuid[]`. Undefined
 * becomes NULL, as it does with the driver.
 * @throws TypeError, RangeError when a value does not have the type.
 */
export function binaryArray<N extends TypeName, Row>(
  type: N,
  rows: readonly Row[],
  valueOf: (row: Row) => ValueOf<N> | null | undefined,
): Buffer {
  const { oid, sizeOf, write } = TYPES[type] as unknown as ElementType<ValueOf<N>>;
  // Each event is in thirty of these arrays. A loop by index allocates nothing for each value; `entries` would, and so
  // does a loop by iterator until V8 has optimized it.
  const values = rows.map(valueOf);
  let bytes = HEADER_BYTES;
  let hasNull = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? null;
    bytes += LENGTH_BYTES;
    if (value === null) hasNull = 1;
    else bytes += sizeOf(value);
  }
  const array = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const field of [1, hasNull, oid, values.length, 1]) at = array.writeInt32BE(field, at);
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? null;
    const start = at + LENGTH_BYTES;
    const end = value === null ? start : write(value, array, start);
    array.writeInt32BE(value === null ? NULL_LENGTH : end - start, at);
    at = end;
  }
  return array;
}

function element<T>(oid: number, sizeOf: ElementType<T>["sizeOf"], write: ElementType<T>["write"]): ElementType<T> {
  return { oid, sizeOf, write };
}
