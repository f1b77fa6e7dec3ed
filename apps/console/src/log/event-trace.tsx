// The deliveries of an event with their attempts on one time axis. The axis is logarithmic: the first second and the
// twenty-fourth hour are both seen.

import { Link } from "@tanstack/react-router";

import { relayNow, useEachSecond } from "../data/clock.ts";
import type { ShownAttempt, ShownDelivery, ShownEvent } from "../data/records.ts";
import { useHold, useNames } from "../data/names.tsx";
import { useTaste } from "../data/taste.ts";
import { StateBadge } from "../ui/badge.tsx";
import { EmptyNote } from "../ui/facts.tsx";
import { formatDuration, formatMs, formatTime, plural } from "../ui/format.ts";
import { Countdown } from "../ui/time.tsx";

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const TICKS_MS = [
  ...[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800].map((count) => count * SECOND_MS),
  ...[1, 2, 6, 12, 24, 48, 168, 720].map((count) => count * HOUR_MS),
];
/** Two labels closer than this part of the axis would touch. */
const LEAST_GAP = 0.09;
const LINEAR_BELOW_MS = 50;

/** Where a time after the receipt stands, from 0 to 1. */
const axisPlace = (ms: number, endMs: number): number =>
  Math.log1p(Math.max(0, ms) / LINEAR_BELOW_MS) / Math.log1p(endMs / LINEAR_BELOW_MS);

/** As many ticks as have room, from the receipt on. */
function chooseTicks(endMs: number): number[] {
  const chosen = [0];
  for (const tick of TICKS_MS) {
    const place = axisPlace(tick, endMs);
    if (place < 1 - LEAST_GAP / 2 && place - axisPlace(chosen.at(-1) ?? 0, endMs) > LEAST_GAP) chosen.push(tick);
  }
  return chosen;
}

/** What somebody has to look at comes first. */
const ORDER: Record<ShownDelivery["status"], number> = { exhausted: 0, pending: 1, cancelled: 2, succeeded: 3 };

const percent = (place: number) => `${(Math.min(1, place) * 100).toFixed(2)}%`;

export function EventTrace({ event }: { event: ShownEvent }) {
  const names = useNames("targets");
  const receivedMs = Date.parse(event.received_at);
  if (event.deliveries.length === 0) {
    return (
      <EmptyNote title="No target got this event.">
        <p className="muted">
          None was subscribed to its type, or their filters did not match. A replay can send it to targets of your
          choice.
        </p>
      </EmptyNote>
    );
  }
  const ends = event.deliveries.flatMap(({ attempts, next_attempt_at, finished_at }) => [
    ...attempts.map(({ started_at, duration_ms }) => Date.parse(started_at) + duration_ms),
    Date.parse(next_attempt_at ?? finished_at ?? event.received_at),
  ]);
  const endMs = Math.max(1_000, ...ends.map((end) => end - receivedMs)) * 1.15;
  const ticks = chooseTicks(endMs);
  const ordered = event.deliveries.toSorted(
    (one, other) =>
      ORDER[one.status] - ORDER[other.status] ||
      (names.get(one.target) ?? "").localeCompare(names.get(other.target) ?? "", "en", { numeric: true }),
  );
  return (
    <div className="trace" role="list" aria-label="Deliveries of the event">
      {ordered.map((delivery) => (
        <TraceLine key={delivery.id} delivery={delivery} receivedMs={receivedMs} endMs={endMs} ticks={ticks} />
      ))}
      <div className="trace-line axis" aria-hidden="true">
        <span className="trace-name">after receipt</span>
        <span className="trace-axis">
          {ticks.map((tick) => (
            <span key={tick} className="tick" style={{ left: percent(axisPlace(tick, endMs)) }}>
              {tick === 0 ? "0" : tick < 1_000 ? `${tick} ms` : formatDuration(tick)}
            </span>
          ))}
        </span>
        <span className="trace-result" />
      </div>
    </div>
  );
}

interface TraceLineProps {
  delivery: ShownDelivery;
  receivedMs: number;
  endMs: number;
  ticks: readonly number[];
}

function TraceLine({ delivery, receivedMs, endMs, ticks }: TraceLineProps) {
  const names = useNames("targets");
  const { attempts, status, target, id, next_attempt_at, attempt_count, in_flight } = delivery;
  const hold = useHold(target);
  const place = (at: string) => percent(axisPlace(Date.parse(at) - receivedMs, endMs));
  return (
    <div className="trace-line" role="listitem" data-id={id} data-api={`/v1/deliveries/${id}`}>
      <span className="trace-name">
        <Link to={`/deliveries/${id}`} data-row title={names.get(target)}>
          {names.get(target) ?? target}
        </Link>
      </span>
      <span className="trace-axis">
        {ticks.map((tick) => (
          <span key={tick} className="grid" style={{ left: percent(axisPlace(tick, endMs)) }} />
        ))}
        {attempts.map((attempt) => (
          <AttemptDot key={attempt.id} attempt={attempt} left={place(attempt.started_at)} />
        ))}
        {next_attempt_at !== null && !in_flight && (
          <NextDot at={next_attempt_at} receivedMs={receivedMs} endMs={endMs} />
        )}
      </span>
      <span className="trace-result">
        <StateBadge state={status} />{" "}
        <span className="muted">
          {attempt_count === 0 ? "no attempt yet" : plural(attempt_count, "attempt")}
          {status === "pending" && next_attempt_at !== null && (
            <>
              {", "}
              {in_flight ? (
                "one in flight"
              ) : (
                <>
                  {Date.parse(next_attempt_at) > relayNow() && "next "}
                  <Countdown at={next_attempt_at} due={hold} />
                </>
              )}
            </>
          )}
        </span>
      </span>
    </div>
  );
}

function AttemptDot({ attempt, left }: { attempt: ShownAttempt; left: string }) {
  const { zone } = useTaste();
  const { status_code, error, duration_ms, number, started_at } = attempt;
  const isGood = error === null && status_code !== null && status_code < 300;
  const result = status_code === null ? (error ?? "no answer") : String(status_code);
  const text = `Attempt ${number}: ${result} in ${formatMs(duration_ms)}, ${formatTime(started_at, zone, relayNow())}`;
  return (
    <span className={isGood ? "dot good" : "dot bad"} style={{ left }} title={text} role="img" aria-label={text} />
  );
}

function NextDot({ at, receivedMs, endMs }: { at: string; receivedMs: number; endMs: number }) {
  useEachSecond();
  const { zone } = useTaste();
  const text = `Next attempt: ${formatTime(at, zone, relayNow())}`;
  const left = percent(axisPlace(Math.max(Date.parse(at), relayNow()) - receivedMs, endMs));
  return <span className="dot next" style={{ left }} title={text} role="img" aria-label={text} />;
}
