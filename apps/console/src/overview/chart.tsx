// A chart over time by uPlot, with colours of the tokens, the zone that the person chose, and its figures as a table for whoever
// cannot see it.

import "uplot/dist/uPlot.min.css";

import { memo, type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from "react";
import UPlot from "uplot";

import { relayNow } from "../data/clock.ts";
import { useTaste } from "../data/taste.ts";
import { EmptyNote, Panel } from "../ui/facts.tsx";
import { formatTime } from "../ui/format.ts";
import { plotOptions } from "./plot-options.ts";

export interface ChartSeries {
  label: string;
  values: readonly (number | null)[];
  /** A token of tokens.css. */
  colour: string;
  format: (value: number) => string;
}

export interface ChartProps {
  title: string;
  /** Starts of the intervals, in milliseconds since 1970. */
  grid: readonly number[];
  stepMs: number;
  series: readonly ChartSeries[];
  kind: "bars" | "lines" | "ages" | "log lines";
  /** "in the last …" */
  last: string;
  /** What stands where there is nothing to draw; the range follows it. */
  none: string;
  actions?: ReactNode;
}

export function ChartPanel(props: ChartProps) {
  const { title, grid, stepMs, series, kind, last, none, actions } = props;
  // The colours are read when it is drawn, so that another theme draws it anew.
  const { theme, zone } = useTaste();
  const isSystemDark = useIsSystemDark();
  const [point, setPoint] = useState<number | null>(null);
  const at = point === null ? undefined : grid[point];
  const isEmpty = series.every(({ values }) => values.every((value) => value === null || value === 0));
  return (
    <Panel
      title={title}
      actions={
        <>
          <span className="hint" aria-hidden="true">
            {at === undefined
              ? kind === "bars" && `sums of the last ${last}`
              : `from ${formatTime(at, zone, relayNow())}`}
          </span>
          {actions}
        </>
      }
    >
      {isEmpty ? (
        <EmptyNote title={`${none} in the last ${last}.`} />
      ) : (
        <>
          <Plot key={`${theme} ${isSystemDark}`} onPoint={setPoint} {...{ title, grid, stepMs, series, kind }} />
          <Legend point={point} {...props} />
          <FigureTable {...props} />
        </>
      )}
    </Panel>
  );
}

const DARK = matchMedia("(prefers-color-scheme: dark)");

function useIsSystemDark(): boolean {
  return useSyncExternalStore(
    (tell) => {
      DARK.addEventListener("change", tell);
      return () => DARK.removeEventListener("change", tell);
    },
    () => DARK.matches,
  );
}

const HEIGHT_PX = 200;

export type PlotProps = Omit<ChartProps, "last" | "none" | "actions"> & {
  /** Is told the interval that is pointed at. It MUST be the same function each time. */
  onPoint: (index: number | null) => void;
};

/** It is drawn anew only when its figures differ: a chart that somebody points at stays. */
const Plot = memo(
  function Plot(props: PlotProps) {
    const place = useRef<HTMLDivElement>(null);
    const { zone } = useTaste();
    useEffect(() => {
      const element = place.current;
      if (element === null) return;
      const width = () => Math.max(200, element.clientWidth);
      const { options, data } = plotOptions(props, zone, (token) => readColour(element, token));
      const plot = new UPlot({ ...options, width: width(), height: HEIGHT_PX }, data, element);
      const observer = new ResizeObserver(() => plot.setSize({ width: width(), height: HEIGHT_PX }));
      observer.observe(element);
      return () => {
        observer.disconnect();
        plot.destroy();
      };
    }, [props, zone]);
    return <div ref={place} className="plot" role="img" aria-label={`${props.title}, as a chart`} />;
  },
  (one, other) => JSON.stringify(one) === JSON.stringify(other),
);

/** A canvas takes no `light-dark()`, so that the browser has to say which of the two it is. */
function readColour(element: HTMLElement, token: string): string {
  element.style.color = `var(${token})`;
  const { color } = getComputedStyle(element);
  element.style.color = "";
  return color;
}

/** What each colour is, with its value at the pointer. Without a pointer, bars have their sum. */
function Legend({ series, kind, point }: ChartProps & { point: number | null }) {
  const valueOf = ({ values, format }: ChartSeries) => {
    if (point !== null) return showFigure(values[point], format);
    return kind === "bars" ? format(values.reduce<number>((sum, value) => sum + (value ?? 0), 0)) : "";
  };
  return (
    <ul className="legend" aria-hidden="true">
      {series.map((one) => (
        <li key={one.label}>
          <span className="legend-mark" style={{ background: `var(${one.colour})` }} />
          <span className="legend-label">{one.label}</span> <b>{valueOf(one)}</b>
        </li>
      ))}
    </ul>
  );
}

function FigureTable({ title, grid, series }: ChartProps) {
  const { zone } = useTaste();
  const [isOpen, setOpen] = useState(false);
  return (
    <details className="figures-table" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>As a table</summary>
      {isOpen && (
        // A box that scrolls is reached by the keyboard.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className="table-box" tabIndex={0} role="region" aria-label={`${title}, as a table`}>
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                {series.map(({ label }) => (
                  <th key={label} scope="col" className="number">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {grid.toReversed().map((at, index) => (
                <tr key={at}>
                  <th scope="row">{formatTime(at, zone, relayNow())}</th>
                  {series.map(({ label, values, format }) => (
                    <td key={label} className="number">
                      {showFigure(values[grid.length - 1 - index], format)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

const showFigure = (value: number | null | undefined, format: (value: number) => string) =>
  value === null || value === undefined ? "–" : format(value);
