// Times: local with a switch to UTC, the exact one on hover, and countdowns by the relay's clock.

import { relayNow, useEachSecond } from "../data/clock.ts";
import { useTaste } from "../data/taste.ts";
import { formatAgo, formatClock, formatDuration, formatMillis, formatTime } from "./format.ts";

interface MomentProps {
  at: string | null | undefined;
  none?: string;
  /** With milliseconds, where several are compared. */
  isExact?: boolean;
}

/** A moment, as a clock shows it. */
export function Moment({ at, none = "–", isExact = false }: MomentProps) {
  const { zone } = useTaste();
  if (at === null || at === undefined) return <span className="muted">{none}</span>;
  return (
    <time dateTime={at} title={at}>
      {formatTime(at, zone, relayNow())}
      {isExact && <small>{formatMillis(at)}</small>}
    </time>
  );
}

/** A moment of this day, for lists of what happens now. */
export function Clock({ at }: { at: string }) {
  const { zone } = useTaste();
  return (
    <time dateTime={at} title={at}>
      {formatClock(at, zone)}
    </time>
  );
}

/** A moment, as the time from now. It counts on. */
export function Ago({ at, none = "never" }: { at: string | null | undefined; none?: string }) {
  useEachSecond();
  const { zone } = useTaste();
  if (at === null || at === undefined) return <span className="muted">{none}</span>;
  const nowMs = relayNow();
  return (
    <time dateTime={at} title={`${formatTime(at, zone, nowMs)} · ${at}`}>
      {formatAgo(Date.parse(at), nowMs)}
    </time>
  );
}

/** How long it is until a moment; `due` once it is there. */
export function Countdown({ at, due = "due now" }: { at: string; due?: string | undefined }) {
  useEachSecond();
  const leftMs = Date.parse(at) - relayNow();
  return (
    <time dateTime={at} title={at}>
      {leftMs <= 0 ? due : `in ${formatDuration(leftMs)}`}
    </time>
  );
}
