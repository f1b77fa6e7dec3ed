// The requests that the ingress refused, and for each reason what to do about it.

import { NameLink } from "../data/names.tsx";
import type { RejectionRow } from "../data/records.ts";
import type { ListColumn } from "../list/columns.tsx";
import { useNameOptions } from "../list/event-filters.ts";
import { type ListFilter, stateOptions, TIME_FILTERS } from "../list/filter-bar.tsx";
import { ListScreen } from "../list/list-screen.tsx";
import { REFUSAL_REASONS_SHOWN } from "../list/refusal-advice.ts";
import { RefusalReasons } from "../list/refusal-reasons.tsx";
import { formatBytes, formatCount } from "../ui/format.ts";
import { Moment } from "../ui/time.tsx";

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
      linkTo={({ id }) => `/rejections/${id}`}
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
