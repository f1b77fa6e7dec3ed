// What uPlot is told for a chart: series, scales, axes and legend.

import UPlot, { type AlignedData, type Axis, type Options, type Series } from "uplot";

import { formatTick } from "../ui/format.ts";
import type { PlotProps } from "./chart.tsx";
import { stackColumns } from "./chart-data.ts";

type ChartZone = "local" | "utc";

const DAY_MS = 86_400_000;
/** Steps of an axis of seconds, as clocks have them. */
const DURATIONS = [1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800, 604_800];
// uPlot declares it as a constant of TypeScript, which no program can import.
const LOGARITHMIC = 3;
/** A bar begins where its interval does. */
const BARS = UPlot.paths.bars?.({ size: [0.8, 32], align: 1 });
const FONT = "11px system-ui, sans-serif";

/** @param colourOf the colour of a token, as a canvas takes it. */
export function plotOptions(
  { grid, stepMs, series, kind, onPoint }: PlotProps,
  zone: ChartZone,
  colourOf: (token: string) => string,
): { options: Omit<Options, "width" | "height">; data: AlignedData } {
  const isBars = kind === "bars";
  const columns = series.map(({ values }) => [...values]);
  // The topmost bar is drawn first, and the others over it: what is seen of each is its own part.
  const drawn = isBars ? stackColumns(columns).toReversed() : columns;
  const shown = isBars ? series.toReversed() : series;
  const firstMs = grid[0] ?? 0;
  const endMs = (grid.at(-1) ?? 0) + stepMs;
  const isLong = endMs - firstMs > 2 * DAY_MS;
  const axis: Axis = {
    stroke: colourOf("--muted"),
    font: FONT,
    grid: { stroke: colourOf("--line"), width: 1 },
    ticks: { show: false },
  };
  const axes: Axis[] = [
    {
      ...axis,
      grid: { show: false },
      space: 64,
      size: 26,
      ...(isLong && { incrs: [1, 2, 5, 10].map((days) => (days * DAY_MS) / 1_000) }),
      values: (_, splits) => splits.map((at) => formatTick(at * 1_000, zone, isLong)),
    },
    valueAxis(
      { ...axis, ...(kind === "log lines" && LOG_TICKS), ...(kind === "ages" && { incrs: DURATIONS }) },
      shown[0]?.format,
    ),
  ];
  return {
    data: [grid.map((at) => at / 1_000), ...drawn] as AlignedData,
    options: {
      ...(zone === "utc" && { tzDate: (at: number) => UPlot.tzDate(new Date(at * 1_000), "Etc/UTC") }),
      padding: [8, 20, 0, 0],
      cursor: { y: false, drag: { setScale: false, x: false, y: false } },
      scales: {
        x: { time: true, range: () => [firstMs / 1_000, endMs / 1_000] },
        // oxlint-disable-next-line typescript/no-unsafe-enum-assignment
        y: kind === "log lines" ? { distr: LOGARITHMIC, log: 10 } : { range: fromZero },
      },
      axes,
      legend: { show: false },
      series: [
        {},
        ...shown.map(({ colour }): Series => {
          const stroke = colourOf(colour);
          return {
            stroke,
            width: isBars ? 0 : 2,
            points: isBars ? { show: false } : { show: true, size: 5, fill: stroke, filter: findLonePoints },
            ...(isBars && { fill: stroke, ...(BARS && { paths: BARS }) }),
          };
        }),
      ],
      hooks: { setCursor: [(plot) => onPoint(findInterval(plot, isBars ? stepMs / 1_000 : undefined))] },
    },
  };
}

/** A chart of counts begins at zero, and one of nothing but zeros has a height, too. */
const fromZero = (_: unknown, _least: number, most: number | null): [number, number] => [
  0,
  Math.max(1, most ?? 0) * 1.08,
];

function valueAxis(axis: Axis, format: ((value: number) => string) | undefined): Axis {
  return {
    ...axis,
    scale: "y",
    // The axis is as wide as its longest label, so that the plot begins where the title does.
    size: (_, values) => 12 + 6.5 * Math.max(0, ...(values ?? []).map(({ length }) => length)),
    // A tick of a logarithmic axis that has no room has no value.
    ...(axis.filter !== undefined && { grid: { ...axis.grid, filter: axis.filter } }),
    values: (_, splits) => splits.map((value: number | null) => (value === null ? "" : (format?.(value) ?? ""))),
  };
}

/** The ticks of a logarithmic axis: powers of ten, and with few of these also twice and five times as much. */
const LOG_TICKS: Pick<Axis, "filter"> = {
  filter: (_, splits) => {
    const isFew = (splits.at(-1) ?? 0) / (splits[0] ?? 1) < 1_000;
    return splits.map((value) => {
      const first = Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9));
      return first === 1 || (isFew && (first === 2 || first === 5)) ? value : null;
    });
  },
};

/** The interval under the pointer. A bar stands for all of it, a point of a line for its beginning. */
function findInterval(plot: UPlot, stepSeconds?: number): number | null {
  const { idx, left = -1 } = plot.cursor;
  const [starts] = plot.data;
  const first = starts[0];
  if (idx === null || idx === undefined || left < 0 || first === undefined) return null;
  if (stepSeconds === undefined) return idx;
  return Math.min(starts.length - 1, Math.max(0, Math.floor((plot.posToVal(left, "x") - first) / stepSeconds)));
}

/** A value between two intervals without one has no line, so that it is drawn as a point. */
function findLonePoints(plot: UPlot, series: number): number[] | null {
  const values = plot.data[series] ?? [];
  const isThere = (index: number) => values[index] !== null && values[index] !== undefined;
  return [...values.keys()].filter((index) => isThere(index) && !isThere(index - 1) && !isThere(index + 1));
}
