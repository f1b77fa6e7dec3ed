// The latest deliveries of a target, and those that failed.

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";

import { readPath } from "../data/client.ts";
import type { DeliveryRow, TargetRow } from "../data/records.ts";
import { oneOf, type SearchParams } from "../data/search-params.ts";
import { DELIVERY_COLUMNS } from "../list/delivery-columns.tsx";
import { RowTable } from "../list/row-table.tsx";
import { EmptyNote, Panel } from "../ui/facts.tsx";
import { ProblemNote } from "../ui/problem.tsx";

const LOOK_EVERY_MS = 5_000;
const SHOWN = 8;

interface View {
  /** As the address has it. */
  name: string;
  label: string;
  search: Record<string, string>;
  empty: string;
}

const LATEST: View = {
  name: "",
  label: "Latest",
  search: {},
  empty: "Nothing has been delivered to this target yet.",
};

const VIEWS: readonly View[] = [
  LATEST,
  {
    name: "retried",
    label: "Retried",
    search: { status: "pending", min_attempts: "1" },
    empty: "No delivery waits for a retry.",
  },
  { name: "exhausted", label: "Exhausted", search: { status: "exhausted" }, empty: "No delivery was given up." },
];

/** In a panel of a narrow screen, the event and its status have room. */
const COLUMNS = DELIVERY_COLUMNS.filter(({ key }) => key !== "target").map((column) =>
  column.key === "created" ? { ...column, priority: 2 as const } : column,
);

export function RecentDeliveries({ target: { id } }: { target: TargetRow }) {
  const address: SearchParams = useSearch({ strict: false });
  const navigate = useNavigate();
  const view = VIEWS.find(({ name }) => name === oneOf(address["deliveries"])) ?? LATEST;
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
              <button
                key={one.label}
                type="button"
                aria-pressed={one === view}
                onClick={() =>
                  void navigate({ to: ".", search: { ...address, deliveries: one.name || undefined }, replace: true })
                }
              >
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
