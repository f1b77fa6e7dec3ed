// schema.ts is written by hand beside the migrations; this test keeps the two the same.

import { is } from "drizzle-orm";
import { getTableConfig, type PgColumn, PgTable } from "drizzle-orm/pg-core";
import { describe, expect } from "vitest";

import { test } from "../../../tests/support/database.ts";
import * as schema from "./schema.ts";

const tables = Object.values(schema)
  .filter((value) => is(value, PgTable))
  .map((table) => getTableConfig(table));

/** A column in the words that Drizzle and PostgreSQL share. */
interface Column {
  name: string;
  type: string;
  notNull: boolean;
  hasDefault: boolean;
  primaryKey: boolean;
  unique: boolean;
}

const describeColumn = (column: PgColumn): Column => ({
  name: column.name,
  type: column.getSQLType(),
  notNull: column.notNull,
  hasDefault: column.hasDefault,
  primaryKey: column.primary,
  unique: column.isUnique,
});

const COLUMNS = `
SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS "notNull", atthasdef AS "hasDefault",
  EXISTS (SELECT FROM pg_constraint WHERE conrelid = attrelid AND contype = 'p' AND conkey = ARRAY[attnum]) AS "primaryKey",
  EXISTS (SELECT FROM pg_constraint WHERE conrelid = attrelid AND contype = 'u' AND conkey = ARRAY[attnum]) AS "unique"
FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`;

describe("schema.ts", () => {
  test("names every table that the migrations make, and no other", async ({ database: { db } }) => {
    const { rows } = await db.pool.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class
       WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace ORDER BY 1`,
    );
    expect(tables.map((table) => table.name).toSorted()).toEqual(rows.map((row) => row.name));
  });

  test.for(tables)("has the columns of $name as the migrations make them", async ({ name, columns }, { database }) => {
    const { rows } = await database.db.pool.query<Column>(COLUMNS, [name]);
    expect(columns.map(describeColumn)).toEqual(rows);
  });
});
