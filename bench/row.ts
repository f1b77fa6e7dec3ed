// A row of the bench's table, and the parts that all rows share: the generator, the receiver and the yardstick.

import type { BenchReceiver, Generator } from "./children.ts";
import { median } from "./machine.ts";
import type { Load } from "./messages.ts";

export interface Figure {
  /** The part of the row: `200 B`, `p99`. */
  what: string;
  value: number;
  unit: string;
  /** Digits after the point. */
  digits?: number;
  /** The value divided by the yardstick of the same run, or by the value that `what` names. */
  ratio?: number;
  /** The aim for the ratio, or for the value of a figure without a ratio. */
  aim?: { atLeast: number } | { atMost: number };
}

export interface Row {
  name: string;
  /** One line for the help. */
  about: string;
  run: (bench: Bench) => Promise<Figure[]>;
}

export interface YardstickSample {
  perSecond: number;
  /** The processor time of the no-op server for one request, in milliseconds: the unit of what an event costs. */
  unitMs: number;
  /** Milliseconds from when a request was due to its answer, in ascending order. */
  acknowledgedMs: number[];
}

/** A no-op server that is warmed up. */
export interface Yardstick {
  /** Measures for so many milliseconds, saturated or at a rate. */
  measure: (ms: number, pace?: Load["pace"]) => Promise<YardstickSample>;
  stop: () => void;
}

export interface Bench {
  /** True when a run only checks that the bench works. */
  quick: boolean;
  generator: Generator;
  receiver: BenchReceiver;
  openYardstick: () => Promise<Yardstick>;
  /** Prints one line for the person who waits. */
  progress: (text: string) => void;
}

export function isReached({ value, ratio, aim }: Figure): boolean | undefined {
  if (aim === undefined) return undefined;
  const measured = ratio ?? value;
  return "atLeast" in aim ? measured >= aim.atLeast : measured <= aim.atMost;
}

const YARDSTICK_MS = 5_000;

export async function measureYardstick(bench: Bench): Promise<YardstickSample> {
  const yardstick = await bench.openYardstick();
  try {
    return await yardstick.measure(YARDSTICK_MS);
  } finally {
    yardstick.stop();
  }
}

/**
 * Measures something, and the yardstick just before and just after it.
 *
 * @returns the mean of these two: requests per second as `yardstick`, and the unit of processor time.
 */
export async function withYardstick<T>(
  bench: Bench,
  measure: () => Promise<T>,
): Promise<{ measured: T; yardstick: number; unitMs: number }> {
  const before = await measureYardstick(bench);
  const measured = await measure();
  const after = await measureYardstick(bench);
  return {
    measured,
    yardstick: (before.perSecond + after.perSecond) / 2,
    unitMs: (before.unitMs + after.unitMs) / 2,
  };
}

const TURN_MS = 2_000;

/**
 * Measures a rate in so many turns, each with its own yardstick. The measured thing must be able to pause between turns.
 *
 * @param prepare runs at the start of each turn, before its yardstick.
 */
export async function inTurns(
  bench: Bench,
  turns: number,
  measure: () => Promise<number>,
  prepare?: () => Promise<void>,
) {
  const yardstick = await bench.openYardstick();
  try {
    return await inTurnsWith(
      async () => (await yardstick.measure(TURN_MS)).perSecond,
      bench.quick ? 1 : turns,
      measure,
      prepare,
    );
  } finally {
    yardstick.stop();
  }
}

/**
 * Measures a rate, and another rate just before and just after it, in so many turns. The speed of a shared machine changes
 * within seconds, so the result is the median of the rates and of the ratios.
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
