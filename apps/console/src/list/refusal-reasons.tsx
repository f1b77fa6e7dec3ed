// The reasons of the newest refusals that match a search, each with its count and what to do about it.

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { readPath } from "../data/client.ts";
import type { RejectionRow } from "../data/records.ts";
import type { SearchParams } from "../data/search-params.ts";
import { resolveTimes } from "../data/time-range.ts";
import { Panel } from "../ui/facts.tsx";
import { formatCount } from "../ui/format.ts";
import { Moment } from "../ui/time.tsx";
import { REFUSAL_ADVICE } from "./refusal-advice.ts";

/** The most that one answer of the list has. */
const MOST_COUNTED = 250;

interface ReasonTally {
  reason: RejectionRow["reason"];
  count: number;
  newest: string;
}

interface RefusalReasonsProps {
  search: SearchParams;
  title?: string;
  /** Shown when nothing was refused; nothing at all without it. */
  none?: string;
}

export function RefusalReasons({ search, title = "What to do", none }: RefusalReasonsProps) {
  const { data } = useQuery({
    queryKey: ["refusal-reasons", search],
    queryFn: ({ signal }) =>
      readPath<{ data: RejectionRow[]; next_cursor: string | null }>(
        "/v1/rejections",
        { ...resolveTimes(search), limit: String(MOST_COUNTED) },
        signal,
      ),
  });
  if (data === undefined) return null;
  const tallies = tallyReasons(data.data);
  if (tallies.length === 0 && none === undefined) return null;
  return (
    <Panel title={title}>
      {tallies.length === 0 && <p className="muted">{none}</p>}
      {data.next_cursor !== null && (
        <p className="muted">Counted in the newest {MOST_COUNTED} lines. Older ones may have other reasons.</p>
      )}
      <ul className="reasons">
        {tallies.map(({ reason, count, newest }) => (
          <li key={reason}>
            <p className="row">
              <Link to="/rejections" search={{ ...search, reason }}>
                <strong>{reason.replaceAll("_", " ")}</strong>
              </Link>
              <span>{formatCount(count)}</span>
              <span className="muted">
                last <Moment at={newest} />
              </span>
            </p>
            <p>
              {REFUSAL_ADVICE[reason].what} <span className="muted">{REFUSAL_ADVICE[reason].todo}</span>
            </p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** @param rows newest first. */
function tallyReasons(rows: readonly RejectionRow[]): ReasonTally[] {
  const tallies = new Map<string, ReasonTally>();
  for (const { reason, count, created_at } of rows) {
    const tally = tallies.get(reason);
    if (tally === undefined) tallies.set(reason, { reason, count, newest: created_at });
    else tally.count += count;
  }
  return [...tallies.values()].toSorted((one, other) => other.count - one.count);
}
