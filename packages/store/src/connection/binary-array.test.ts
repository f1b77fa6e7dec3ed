// Lists in PostgreSQL's binary format: PostgreSQL reads from them what it reads from the driver's text, and a value
// that does not have the type is refused and never becomes another value.

import fc from "fast-check";
import { expect } from "vitest";

import { newId } from "@sluice/shared/domain/ids";

import { test } from "../../../../tests/support/database.ts";
import { runSql } from "../../../../tests/support/sql.ts";
import { binaryArray } from "./binary-array.ts";

const LAST_MS = 8_640_000_000_000_000;

const text = fc.string({ unit: "binary" }).map((value) => value.replaceAll("\0", ""));
const anyMs = fc.integer({ min: Date.UTC(1, 0, 1), max: Date.UTC(9999, 11, 31) });

/** The values of each type, and the text by which the driver sends each value. */
const CASES = {
  boolean: { value: fc.boolean(), asText: String },
  bytea: {
    value: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    asText: (value: Buffer) => `\\x${value.toString("hex")}`,
  },
  int4: { value: fc.integer(), asText: String },
  float8: { value: fc.double(), asText: (value: number) => (Object.is(value, -0) ? "-0" : String(value)) },
  text: { value: text, asText: String },
  timestamptz: { value: anyMs, asText: (value: number) => new Date(value).toISOString() },
  uuid: { value: fc.uuid(), asText: String },
  jsonb: {
    value: fc.dictionary(text, fc.oneof(text, fc.integer(), fc.constant(null))).map((value) => JSON.stringify(value)),
    asText: String,
  },
};

test.for(Object.keys(CASES) as (keyof typeof CASES)[])(
  "a list of %s is read as its text is",
  async (type, { database }) => {
    const { value, asText } = CASES[type] as unknown as {
      value: fc.Arbitrary<never>;
      asText: (value: never) => string;
    };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(value), { maxLength: 20 }), async (values) => {
        const texts = values.map((each) => (each === null ? null : asText(each)));
        const [row] = await runSql(
          database.url,
          `SELECT $1::${type}[]::text AS read, $2::text[]::${type}[]::text AS expected`,
          [binaryArray(type, values, (each) => each), texts],
        );
        expect(row?.["read"]).toBe(row?.["expected"]);
      }),
      { numRuns: 50 },
    );
  },
);

test("the extreme values of each type are kept, and a UUID in upper case is read", async ({ database }) => {
  const id = newId();
  const [row] = await runSql(
    database.url,
    "SELECT $1::uuid[]::text[] AS ids, extract(epoch FROM ($2::timestamptz[])[1])::text AS last, $3::int4[] AS ints",
    [
      binaryArray("uuid", [id.toUpperCase(), "ffffffff-ffff-ffff-ffff-ffffffffffff"], (each) => each),
      binaryArray("timestamptz", [LAST_MS], (each) => each),
      binaryArray("int4", [-(2 ** 31), 2 ** 31 - 1], (each) => each),
    ],
  );
  expect(row).toEqual({
    ids: [id, "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    last: "8640000000000.000000",
    ints: [-(2 ** 31), 2 ** 31 - 1],
  });
});

test("a value that does not have the type is refused before it is sent", () => {
  const id = newId();
  const noIds = [
    "",
    "x",
    id.slice(1),
    `${id}0`,
    id.replaceAll("-", ""),
    `${id.slice(0, 7)}-${id.slice(7, 8)}${id.slice(9)}`,
    id.replace(/.$/, "\u{ff11}"),
    id.replace(/.$/, "g"),
    `${id.slice(1)}-`,
    "-".repeat(36),
  ];
  for (const noId of noIds) expect(() => binaryArray("uuid", [noId], (each) => each), noId).toThrow(TypeError);
  expect(() => binaryArray("timestamptz", [Number.NaN], (each) => each)).toThrow(RangeError);
  expect(() => binaryArray("int4", [2 ** 31], (each) => each)).toThrow(RangeError);
  expect(() => binaryArray("text", [1], (value) => value as unknown as string)).toThrow(TypeError);
});
