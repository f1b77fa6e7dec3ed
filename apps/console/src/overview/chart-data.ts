// Rows of the API as columns of a chart. Pure.

export interface ChartColumn {
  /** A group of the rows; null for what belongs to none, and for all others together. */
  key: string | null;
  values: (number | null)[];
}

/** The starts of all intervals, in milliseconds since 1970. An interval in which nothing happened has no row, and a place here. */
export function readGrid(since: string, until: string, stepMs: number): number[] {
  const first = Date.parse(since);
  const count = Math.max(1, Math.ceil((Date.parse(until) - first) / stepMs));
  return Array.from({ length: count }, (_, index) => first + index * stepMs);
}

interface GridRow {
  start: string;
}

/** One value for each interval. @param none for intervals without a row. */
export function toColumn<Row extends GridRow>(
  grid: readonly number[],
  rows: readonly Row[],
  valueOf: (row: Row) => number | null,
  none: number | null = 0,
): (number | null)[] {
  const values = new Map<number, number | null>();
  for (const row of rows) {
    const at = Date.parse(row.start);
    const value = valueOf(row);
    const known = values.get(at);
    values.set(at, known === undefined || known === null || value === null ? value : known + value);
  }
  return grid.map((at) => values.get(at) ?? none);
}

/**
 * A column for each of the largest groups, the largest first, and one for all others together, which has the key null.
 * @param most how many groups have a column of their own.
 */
export function toColumns<Row extends GridRow>(
  grid: readonly number[],
  rows: readonly Row[],
  read: { keyOf: (row: Row) => string; valueOf: (row: Row) => number },
  most: number,
): ChartColumn[] {
  const totals = new Map<string, number>();
  for (const row of rows) totals.set(read.keyOf(row), (totals.get(read.keyOf(row)) ?? 0) + read.valueOf(row));
  const keys = [...totals]
    .filter(([, total]) => total > 0)
    .toSorted(([, one], [, other]) => other - one)
    .map(([key]) => key);
  const own = keys.slice(0, most);
  const columns: ChartColumn[] = own.map((key) => ({
    key,
    values: toColumn(
      grid,
      rows.filter((row) => read.keyOf(row) === key),
      read.valueOf,
    ),
  }));
  if (keys.length <= most) return columns;
  const others = rows.filter((row) => !own.includes(read.keyOf(row)));
  return [...columns, { key: null, values: toColumn(grid, others, read.valueOf) }];
}

/** Each column on top of those before it. */
export function stackColumns(columns: readonly (readonly (number | null)[])[]): number[][] {
  const sums: number[] = [];
  return columns.map((values) =>
    values.map((value, index) => {
      const sum = (sums[index] ?? 0) + (value ?? 0);
      sums[index] = sum;
      return sum;
    }),
  );
}
