// What a row of the bench's table is, and what all rows share: the generator, the receiver and the yardstick.

import type { BenchReceiver, Generator } from "./children.ts";
import { median } from "./machine.ts";

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

/** A no-op server that is warm. */
export interface Yardstick {
  /** @returns its requests each second, over so long. */
  measure: (ms: number) => Promise<number>;
  stop: () => void;
}

export interface Bench {
  /** Whether this only shows that the bench works. */
  quick: boolean;
  generator: Generator;
  receiver: BenchReceiver;
  openYardstick: () => Promise<Yardstick>;
  /** One line for whoever waits. */
  progress: (text: string) => void;
}

export function isReached({ value, ratio, aim }: Figure): boolean | undefined {
  if (aim === undefined) return undefined;
  const measured = ratio ?? value;
  return "atLeast" in aim ? measured >= aim.atLeast : measured <= aim.atMost;
}

const YARDSTICK_MS = 5_000;

export async function measureYardstick(bench: Bench): Promise<number> {
  const yardstick = await bench.openYardstick();
  try {
    return await yardstick.measure(YARDSTICK_MS);
  } finally {
    yardstick.stop();
  }
}

/** What a measurement gives, and the yardstick: the mean of just before and just after it. */
export async function withYardstick<T>(
  bench: Bench,
  measure: () => Promise<T>,
): Promise<{ measured: T; yardstick: number }> {
  const before = await measureYardstick(bench);
  const measured = await measure();
  const after = await measureYardstick(bench);
  return { measured, yardstick: (before + after) / 2 };
}

/** What a measurement gives, and how it compares to the yardstick. */
export async function besideYardstick(bench: Bench, measure: () => Promise<number>) {
  const { measured: value, yardstick } = await withYardstick(bench, measure);
  return { value, ratio: value / yardstick };
}

const TURN_MS = 2_000;

/**
 * A rate, and how it compares to the yardstick, in so many turns: for what can be stopped and gone on with.
 *
 * @param prepare what a turn needs, before its yardstick.
 */
export async function inTurns(
  bench: Bench,
  turns: number,
  measure: () => Promise<number>,
  prepare?: () => Promise<void>,
) {
  const yardstick = await bench.openYardstick();
  try {
    return await inTurnsWith(() => yardstick.measure(TURN_MS), bench.quick ? 1 : turns, measure, prepare);
  } finally {
    yardstick.stop();
  }
}

/**
 * A rate, and how it compares to another one just before and just after: the medians of so many turns, because a machine
 * that others use as well is another one within seconds.
 */
export async function inTurnsWith(
  other: () => Promise<number>,
  turns: number,
  measure: () => Promise<number>,
  prepare?: () => Promise<void>,
) {
  const rates: number[] = [];
  const ratios: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    await prepare?.();
    const before = await other();
    const rate = await measure();
    const after = await other();
    rates.push(rate);
    ratios.push((2 * rate) / (before + after));
  }
  return { value: median(rates), ratio: median(ratios) };
}
