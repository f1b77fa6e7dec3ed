// What a person has to look after, in numbers. Each leads to the list of what it counts.

import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { useSystem } from "../data/system.ts";
import { formatCount, formatDuration } from "../ui/format.ts";
import { useRejected, useStats } from "./overview-figures.ts";

const LAST_DAY = { since: "-24h", interval: "ten_minutes" } as const;

export function KeyFigures() {
  const { data: stats } = useStats(LAST_DAY, "none");
  const { data: system } = useSystem();
  const { data: rejected } = useRejected();
  const isCountComplete = (rejected?.counted_to ?? null) === null;
  const exhausted = stats?.data.reduce((sum, { deliveries }) => sum + deliveries.exhausted, 0);
  const counts = Object.values(system?.queue.set_aside_events ?? {});
  const setAside =
    counts.includes(null) || system === undefined
      ? undefined
      : counts.reduce<number>((sum, one) => sum + (one ?? 0), 0);
  const { waiting, oldest_waiting_seconds: oldest } = system?.deliveries ?? {
    waiting: null,
    oldest_waiting_seconds: null,
  };
  return (
    <div className="key-figures">
      <KeyFigure
        to="/deliveries"
        search={{ status: "exhausted", since: "-24h" }}
        count={exhausted}
        label="exhausted in 24 hours"
        hint="Deliveries that were given up. They can be retried."
        isBad
      />
      <KeyFigure
        to="/set-aside"
        search={{}}
        count={setAside}
        label="set aside"
        hint="Acknowledged events that could not be stored."
        isBad
      />
      <KeyFigure
        to="/rejections"
        search={{ since: "-24h" }}
        count={rejected?.data.reduce((sum, { count }) => sum + count, 0)}
        label={`${isCountComplete ? "" : "or more "}rejected in 24 hours`}
        hint="Requests that could not be verified."
        isBad
      />
      <KeyFigure
        to="/deliveries"
        search={{ status: "pending" }}
        count={waiting ?? undefined}
        label="waiting now"
        hint={
          waiting === null || waiting === 0 || oldest === null
            ? "Deliveries that are not finished."
            : `The oldest for ${oldest < 60 ? "less than a minute" : formatDuration(oldest * 1_000)}.`
        }
      />
    </div>
  );
}

interface KeyFigureProps {
  to: string;
  search: Record<string, string>;
  /** Undefined while it is not known. */
  count: number | undefined;
  label: string;
  hint: ReactNode;
  /** Whether more than none is bad news. */
  isBad?: boolean;
}

function KeyFigure({ to, search, count, label, hint, isBad = false }: KeyFigureProps) {
  return (
    <Link
      to={to}
      search={search}
      className={isBad && count !== undefined && count > 0 ? "key-figure bad" : "key-figure"}
    >
      <span className="key-count">{count === undefined ? "–" : formatCount(count)}</span>{" "}
      <span className="key-label">{label}</span>
      <span className="hint">{hint}</span>
    </Link>
  );
}
