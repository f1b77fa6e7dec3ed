// Charts of what happened: events by type, attempts good and bad, and how long attempts took.

import { useNavigate, useSearch } from "@tanstack/react-router";

import { useNames } from "../data/names.tsx";
import type { SearchParams } from "../data/search-params.ts";
import { formatCount, formatMs } from "../ui/format.ts";
import { ProblemNote } from "../ui/problem.tsx";
import { ChartPanel } from "./chart.tsx";
import { readGrid, toColumn, toColumns } from "./chart-data.ts";
import type { ChartRange } from "./chart-range.ts";
import { useStats } from "./overview-figures.ts";

const MOST_TYPES = 5;
export const SERIES_COLOURS = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5"];
const OTHERS_COLOUR = "--line-strong";

const gridOf = (stats: { since: string; until: string }, { stepMs }: ChartRange) =>
  readGrid(stats.since, stats.until, stepMs);

export function EventChart({ range }: { range: ChartRange }) {
  const { data, error, refetch } = useStats(range, "event_type");
  if (error !== null) return <ProblemNote error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <ChartPlace />;
  const grid = gridOf(data, range);
  const columns = toColumns(
    grid,
    data.data,
    { keyOf: ({ group }) => group ?? "no type", valueOf: ({ events }) => events ?? 0 },
    MOST_TYPES,
  );
  return (
    <ChartPanel
      title="Events by type"
      kind="bars"
      grid={grid}
      stepMs={range.stepMs}
      none="No event came"
      last={range.last}
      series={columns.map(({ key, values }, index) => ({
        label: key ?? "others",
        values,
        colour: key === null ? OTHERS_COLOUR : (SERIES_COLOURS[index] ?? OTHERS_COLOUR),
        format: formatCount,
      }))}
    />
  );
}

export function AttemptChart({ range }: { range: ChartRange }) {
  const { data, error, refetch } = useStats(range, "none");
  if (error !== null) return <ProblemNote error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <ChartPlace />;
  const grid = gridOf(data, range);
  return (
    <ChartPanel
      title="Attempts"
      kind="bars"
      grid={grid}
      stepMs={range.stepMs}
      none="Nothing was attempted"
      last={range.last}
      series={[
        {
          label: "failed",
          values: toColumn(grid, data.data, ({ attempts }) => attempts.failed),
          colour: "--series-bad",
          format: formatCount,
        },
        {
          label: "succeeded",
          values: toColumn(grid, data.data, ({ attempts }) => attempts.succeeded),
          colour: "--series-good",
          format: formatCount,
        },
      ]}
    />
  );
}

const PERCENTILES = [
  ["p50", "half within", "--series-1"],
  ["p90", "90 % within", "--series-2"],
  ["p99", "99 % within", "--series-3"],
] as const;

export function LatencyChart({ range, target }: { range: ChartRange; target: string }) {
  const names = useNames("targets");
  const { data, error, refetch } = useStats(range, "none", names.has(target) ? target : undefined);
  if (error !== null) return <ProblemNote error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <ChartPlace />;
  const grid = gridOf(data, range);
  return (
    <ChartPanel
      title="Time of an attempt"
      kind="log lines"
      grid={grid}
      stepMs={range.stepMs}
      none="Nothing was attempted"
      last={range.last}
      actions={<TargetChoice chosen={names.has(target) ? target : ""} names={names} />}
      series={PERCENTILES.map(([key, label, colour]) => ({
        label,
        values: toColumn(grid, data.data, ({ latency_ms }) => latency_ms?.[key] ?? null, null),
        colour,
        format: formatMs,
      }))}
    />
  );
}

function TargetChoice({ chosen, names }: { chosen: string; names: ReadonlyMap<string, string> }) {
  const navigate = useNavigate();
  const search: SearchParams = useSearch({ strict: false });
  return (
    <select
      className="short"
      aria-label="Target"
      value={chosen}
      onChange={({ target: { value } }) =>
        void navigate({ to: ".", search: { ...search, target: value }, replace: true })
      }
    >
      <option value="">all targets</option>
      {[...names].map(([id, name]) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </select>
  );
}

/** Keeps the room of a chart that is not there yet, so that nothing below it moves. */
export function ChartPlace() {
  return <div className="skeleton chart-place" role="status" aria-label="Loading" />;
}
