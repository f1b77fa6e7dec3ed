// What the relay's clock says. Countdowns follow it, and a browser whose clock is off is told.

import { useSyncExternalStore } from "react";

/** `Date` has whole seconds, and an answer takes a while. A difference below this is noise. */
const NOTABLE_MS = 5_000;

let offsetMs = 0;
const listeners = new Set<() => void>();

/** @param date the header `Date` of an answer. */
export function noteAnswerTime(date: string | null): void {
  const atMs = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(atMs)) return;
  const differenceMs = atMs + 500 - Date.now();
  const next = Math.abs(differenceMs) < NOTABLE_MS ? 0 : differenceMs;
  if (Math.abs(next - offsetMs) < 1_000) return;
  offsetMs = next;
  for (const tell of listeners) tell();
}

/** Milliseconds since 1970 by the relay's clock. */
export const relayNow = (): number => Date.now() + offsetMs;

/** How far the browser's clock is behind the relay's, in milliseconds; 0 when it is right. */
export function useClockOffset(): number {
  return useSyncExternalStore(
    (tell) => {
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
    () => offsetMs,
  );
}

let ticks = 0;
const tickers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** Renders again each second, with all others at once. */
export function useEachSecond(): void {
  useSyncExternalStore(
    (tell) => {
      tickers.add(tell);
      timer ??= setInterval(() => {
        ticks++;
        for (const one of tickers) one();
      }, 1_000);
      return () => {
        tickers.delete(tell);
        if (tickers.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
    () => ticks,
  );
}
