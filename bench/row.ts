// What a row of the bench's table is, and what all rows share: the generator, the receiver and the yardstick.

import type { BenchReceiver, Generator } from "./children.ts";

export interface Figure {
  /** Of what the row measures: `200 B`, `p99`. */
  what: string;
  value: number;
  unit: string;
  /** Digits after the point. */
  digits?: number;
  /** The value to the yardstick's, or to what `what` says, in the same run. */
  ratio?: number;
  /** What the ratio, or the value where there is none, is to reach. */
  aim?: { atLeast: number } | { atMost: number };
}

export interface Row {
  name: string;
  /** One line. */
  about: string;
  run: (bench: Bench) => Promise<Figure[]>;
}

export interface Bench {
  /** Whether this only shows that the bench works. */
  quick: boolean;
  generator: Generator;
  receiver: BenchReceiver;
  /** Requests each second of the no-op server, now; in short, as they were the first time. */
  measureYardstick: () => Promise<number>;
  /** One line for whoever waits. */
  progress: (text: string) => void;
}

export function isReached({ value, ratio, aim }: Figure): boolean | undefined {
  if (aim === undefined) return undefined;
  const measured = ratio ?? value;
  return "atLeast" in aim ? measured >= aim.atLeast : measured <= aim.atMost;
}

/** What a measurement gives, and the yardstick: the mean of just before and just after it. */
export async function withYardstick<T>(
  bench: Bench,
  measure: () => Promise<T>,
): Promise<{ measured: T; yardstick: number }> {
  const before = await bench.measureYardstick();
  const measured = await measure();
  const after = await bench.measureYardstick();
  return { measured, yardstick: (before + after) / 2 };
}

/** What a measurement gives, and how it compares to the yardstick. */
export async function besideYardstick(bench: Bench, measure: () => Promise<number>) {
  const { measured: value, yardstick } = await withYardstick(bench, measure);
  return { value, ratio: value / yardstick };
}
