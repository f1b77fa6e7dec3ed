// The reasons of the refusals that match a search, each with its count and what to do about it.

import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { relayNow } from "../data/clock.ts";
import { readPath } from "../data/client.ts";
import type { SearchParams } from "../data/search-params.ts";
import { useTaste } from "../data/taste.ts";
import { resolveTimes } from "../data/time-range.ts";
import { Panel } from "../ui/facts.tsx";
import { formatTime, plural } from "../ui/format.ts";
import { ProblemNote } from "../ui/problem.tsx";
import { Moment } from "../ui/time.tsx";
import { REFUSAL_ADVICE } from "./refusal-advice.ts";

type ReasonCount = Schemas["RejectionCount"];

const LOOK_EVERY_MS = 15_000;

interface RefusalReasonsProps {
  search: SearchParams;
  title?: string;
  /** Shown when nothing was refused; nothing at all without it. */
  none?: string;
}

export function RefusalReasons({ search, title = "What to do", none }: RefusalReasonsProps) {
  const { zone } = useTaste();
  const { data, error, refetch } = useQuery({
    queryKey: ["refusal-reasons", search],
    queryFn: ({ signal }) => readPath<Schemas["RejectionStats"]>("/v1/stats/rejections", resolveTimes(search), signal),
    refetchInterval: LOOK_EVERY_MS,
  });
  if (error !== null) return <ProblemNote error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return null;
  const reasons = joinSources(data.data);
  if (reasons.length === 0 && none === undefined) return null;
  return (
    <Panel title={title}>
      {reasons.length === 0 && <p className="muted">{none}</p>}
      {data.counted_to !== null && (
        <p className="muted">
          There are too many to count them all. Those since {formatTime(data.counted_to, zone, relayNow())} are counted.
        </p>
      )}
      {reasons.length > 0 && (
        <ul className="reasons">
          {reasons.map(({ reason, count, newest_at }) => (
            <li key={reason}>
              <p className="row">
                <Link to="/rejections" search={{ ...search, reason }}>
                  <strong>{reason.replaceAll("_", " ")}</strong>
                </Link>
                <span>{plural(count, "request")}</span>
                <span className="muted">
                  last <Moment at={newest_at} />
                </span>
              </p>
              <p>
                {REFUSAL_ADVICE[reason].what} <span className="muted">{REFUSAL_ADVICE[reason].todo}</span>
              </p>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

/** One line for each reason, whatever the source. */
function joinSources(counts: readonly ReasonCount[]): ReasonCount[] {
  const joined = new Map<string, ReasonCount>();
  for (const one of counts) {
    const known = joined.get(one.reason);
    if (known === undefined) joined.set(one.reason, { ...one });
    else {
      known.count += one.count;
      if (one.newest_at > known.newest_at) known.newest_at = one.newest_at;
    }
  }
  return [...joined.values()].toSorted((one, other) => other.count - one.count);
}
