// Lists in PostgreSQL's binary format: what it reads of them is what it reads of the driver's own text, and what is no
// value of the type never becomes another value.

import fc from "fast-check";
import { expect } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { runSql } from "../../../../tests/support/sql.ts";
import { newId } from "@sluice/shared/domain/ids";
import { binaryArray } from "./binary-array.ts";

const LAST_MS = 8_640_000_000_000_000;

const text = fc.string({ unit: "binary" }).map((value) => value.replaceAll("\0", ""));
const anyMs = fc.integer({ min: Date.UTC(1, 0, 1), max: Date.UTC(9999, 11, 31) });

/** For each type, its values, and each as the driver takes it. */
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
        const texts = values.map((one) => (one === null ? null : asText(one)));
        const [row] = await runSql(
          database.url,
          `SELECT $1::${type}[]::text AS read, $2::text[]::${type}[]::text AS expected`,
          [binaryArray(type, values, (one) => one), texts],
        );
        expect(row?.["read"]).toBe(row?.["expected"]);
      }),
      { numRuns: 50 },
    );
  },
);

test("the ends of each type are kept, and its letters in either case", async ({ database }) => {
  const id = newId();
  const [row] = await runSql(
    database.url,
    "SELECT $1::uuid[]::text[] AS ids, extract(epoch FROM ($2::timestamptz[])[1])::text AS last, $3::int4[] AS ints",
    [
      binaryArray("uuid", [id.toUpperCase(), "ffffffff-ffff-ffff-ffff-ffffffffffff"], (one) => one),
      binaryArray("timestamptz", [LAST_MS], (one) => one),
      binaryArray("int4", [-(2 ** 31), 2 ** 31 - 1], (one) => one),
    ],
  );
  expect(row).toEqual({
    ids: [id, "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    last: "8640000000000.000000",
    ints: [-(2 ** 31), 2 ** 31 - 1],
  });
});

test("what is no value of the type is refused before it is sent", () => {
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
  for (const noId of noIds) expect(() => binaryArray("uuid", [noId], (one) => one), noId).toThrow(TypeError);
  expect(() => binaryArray("timestamptz", [Number.NaN], (one) => one)).toThrow(RangeError);
  expect(() => binaryArray("int4", [2 ** 31], (one) => one)).toThrow(RangeError);
  expect(() => binaryArray("text", [1], (one) => one as unknown as string)).toThrow(TypeError);
});
