// The latest deliveries of a target, and those that failed.

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { readPath } from "../data/client.ts";
import type { DeliveryRow, TargetRow } from "../data/records.ts";
import { DELIVERY_COLUMNS } from "../list/delivery-columns.tsx";
import { RowTable } from "../list/row-table.tsx";
import { EmptyNote, Panel } from "../ui/facts.tsx";
import { ProblemNote } from "../ui/problem.tsx";

const LOOK_EVERY_MS = 5_000;
const SHOWN = 8;

interface View {
  label: string;
  search: Record<string, string>;
  empty: string;
}

const VIEWS: readonly View[] = [
  { label: "Latest", search: {}, empty: "Nothing has been delivered to this target yet." },
  { label: "Retried", search: { status: "pending", min_attempts: "1" }, empty: "No delivery waits for a retry." },
  { label: "Exhausted", search: { status: "exhausted" }, empty: "No delivery was given up." },
];

/** In a panel of a narrow screen, the event and its status have room. */
const COLUMNS = DELIVERY_COLUMNS.filter(({ key }) => key !== "target").map((column) =>
  column.key === "created" ? { ...column, priority: 2 as const } : column,
);

export function RecentDeliveries({ target: { id } }: { target: TargetRow }) {
  const [view, setView] = useState(VIEWS[0] as View);
  const search = { target: id, ...view.search };
  const { data, error, refetch } = useQuery({
    queryKey: ["recent", search],
    queryFn: ({ signal }) =>
      readPath<{ data: DeliveryRow[] }>("/v1/deliveries", { limit: String(SHOWN), ...search }, signal),
    refetchInterval: LOOK_EVERY_MS,
  });
  return (
    <Panel
      title="Deliveries"
      actions={
        <>
          <span className="segments" role="group" aria-label="Which deliveries">
            {VIEWS.map((one) => (
              <button key={one.label} type="button" aria-pressed={one === view} onClick={() => setView(one)}>
                {one.label}
              </button>
            ))}
          </span>
          <Link className="button" to="/deliveries" search={search}>
            Show all
          </Link>
        </>
      }
    >
      {error !== null && <ProblemNote error={error} onRetry={() => void refetch()} />}
      {data &&
        (data.data.length === 0 ? (
          <EmptyNote title={view.empty} />
        ) : (
          <RowTable
            rows={data.data}
            columns={COLUMNS}
            linkTo={(row) => `/deliveries/${row.id}`}
            apiPath="/v1/deliveries"
            label={`${view.label} deliveries`}
          />
        ))}
    </Panel>
  );
}
