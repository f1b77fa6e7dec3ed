// The requests that the ingress refused, and for each reason what to do about it.

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { readPath } from "../data/client.ts";
import { NameLink } from "../data/names.tsx";
import type { RejectionRow } from "../data/records.ts";
import type { SearchParams } from "../data/search-params.ts";
import { resolveTimes } from "../data/time-range.ts";
import type { ListColumn } from "../list/columns.tsx";
import { useNameOptions } from "../list/event-filters.ts";
import { type ListFilter, stateOptions, TIME_FILTERS } from "../list/filter-bar.tsx";
import { ListScreen } from "../list/list-screen.tsx";
import { Panel } from "../ui/facts.tsx";
import { formatBytes, formatCount } from "../ui/format.ts";
import { Moment } from "../ui/time.tsx";
import { REFUSAL_ADVICE, REFUSAL_REASONS_SHOWN } from "./refusal-advice.ts";

const COLUMNS: readonly ListColumn<RejectionRow>[] = [
  { key: "time", label: "Refused", cell: ({ created_at }) => <Moment at={created_at} /> },
  { key: "reason", label: "Reason", cell: ({ reason }) => reason.replaceAll("_", " ") },
  { key: "source", label: "Source", cell: ({ source }) => <NameLink kind="sources" id={source} />, priority: 2 },
  {
    key: "detail",
    label: "Detail",
    cell: ({ detail }) => <span className="wrapped">{detail}</span>,
    priority: 2,
    isWide: true,
  },
  { key: "webhook_id", label: "webhook-id", cell: ({ webhook_id }) => <code>{webhook_id ?? "–"}</code>, priority: 3 },
  { key: "address", label: "From", cell: ({ remote_address }) => <code>{remote_address ?? "–"}</code>, priority: 2 },
  {
    key: "size",
    label: "Size",
    cell: ({ size_bytes }) => (size_bytes === null ? "–" : formatBytes(size_bytes)),
    priority: 3,
    isNumber: true,
  },
  {
    key: "count",
    label: "Requests",
    cell: ({ count }) => <span title="How many refused requests this line stands for">{formatCount(count)}</span>,
    isNumber: true,
  },
];

export function RejectionsScreen() {
  const filters: ListFilter[] = [
    { name: "reason", label: "Reason", options: stateOptions(REFUSAL_REASONS_SHOWN), isFirst: true },
    { name: "source", label: "Source", options: useNameOptions("sources"), isFirst: true },
    ...TIME_FILTERS,
    { name: "remote_address", label: "From", placeholder: "192.0.2.1" },
    { name: "webhook_id", label: "webhook-id", placeholder: "msg_…" },
    { name: "error", label: "Detail has", placeholder: "secret" },
  ];
  return (
    <ListScreen<RejectionRow>
      title="Rejections"
      path="/v1/rejections"
      columns={COLUMNS}
      filters={filters}
      empty={
        <>
          <p>
            <strong>No request was refused.</strong>
          </p>
          <p className="muted">
            What comes to a source and cannot be verified would be here, with its reason. Requests to an address without
            a source are not listed.
          </p>
        </>
      }
    >
      {(list, search) => list.rows.length > 0 && <RefusalReasons search={search} />}
    </ListScreen>
  );
}

/** The most that one answer of the list has. */
const MOST_COUNTED = 250;

interface ReasonTally {
  reason: RejectionRow["reason"];
  count: number;
  newest: string;
}

function RefusalReasons({ search }: { search: SearchParams }) {
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
  return (
    <Panel title="What to do">
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
