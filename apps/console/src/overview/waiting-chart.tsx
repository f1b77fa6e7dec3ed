// How much waited for each target, and for how long the oldest had waited, from the sample that a worker takes each minute.

import { useState } from "react";

import { useNames } from "../data/names.tsx";
import { formatCount, formatDuration } from "../ui/format.ts";
import { ProblemNote } from "../ui/problem.tsx";
import { ChartPlace, SERIES_COLOURS } from "./activity-charts.tsx";
import { ChartPanel, type ChartSeries } from "./chart.tsx";
import { readGrid, toColumn } from "./chart-data.ts";
import type { ChartRange } from "./chart-range.ts";
import { useWaitingStats } from "./overview-figures.ts";

const OTHERS_COLOUR = "--line-strong";

export function WaitingChart({ range }: { range: ChartRange }) {
  const names = useNames("targets");
  const [isAge, setAge] = useState(false);
  const { data, error, refetch } = useWaitingStats(range);
  if (error !== null) return <ProblemNote error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <ChartPlace />;
  const grid = readGrid(data.since, data.until, range.stepMs);
  const rows = data.data;
  // Each interval with a sample has a row for all other targets, also when nothing waited.
  const sampled = new Set(rows.map(({ start }) => Date.parse(start)));
  const column = (target: string | null, valueOf: (row: (typeof rows)[number]) => number) => {
    const own = rows.filter((row) => row.target === target);
    return toColumn(grid, own, valueOf).map((value, index) => (sampled.has(grid[index] ?? 0) ? value : null));
  };
  const targets = [...new Set(rows.map(({ target }) => target))].toSorted((one) => (one === null ? 1 : -1));
  const hasOthers = rows.some(({ target, waiting }) => target === null && waiting > 0);
  const series = targets
    .filter((target) => target !== null || hasOthers)
    .map((target, index): ChartSeries => {
      const label = target === null ? "others" : (names.get(target) ?? target);
      const colour = target === null ? OTHERS_COLOUR : (SERIES_COLOURS[index] ?? OTHERS_COLOUR);
      const values = column(target, ({ waiting, oldest_seconds }) => (isAge ? oldest_seconds : waiting));
      return { label, values, colour, format: isAge ? (seconds) => formatDuration(seconds * 1_000) : formatCount };
    });
  return (
    <ChartPanel
      title={isAge ? "Age of the oldest waiting delivery" : "Waiting deliveries"}
      kind={isAge ? "ages" : "lines"}
      grid={grid}
      stepMs={range.stepMs}
      none="Nothing waited"
      last={range.last}
      series={series}
      actions={
        <select
          className="short"
          aria-label="What is drawn"
          value={isAge ? "age" : "count"}
          onChange={({ target: { value } }) => setAge(value === "age")}
        >
          <option value="count">how many</option>
          <option value="age">age of the oldest</option>
        </select>
      }
    />
  );
}
