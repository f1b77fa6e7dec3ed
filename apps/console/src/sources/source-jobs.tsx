// The newest jobs of a source at Gemini, and how many of them are in which state.

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { readPath } from "../data/client.ts";
import type { JobRow, SourceRow } from "../data/records.ts";
import { RowTable } from "../list/row-table.tsx";
import { StateBadge } from "../ui/badge.tsx";
import { Panel } from "../ui/facts.tsx";
import { formatCount } from "../ui/format.ts";
import { ProblemNote } from "../ui/problem.tsx";
import { JOB_COLUMNS, JOB_STATES } from "./job-columns.tsx";

const LOOK_EVERY_MS = 10_000;
/** The most that one answer of the list has. */
const COUNTED = 250;
const SHOWN = 5;

const COLUMNS = JOB_COLUMNS.filter(({ key }) => key !== "source");

export function SourceJobs({ source: { id, reconcile } }: { source: SourceRow }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["source-jobs", id],
    queryFn: ({ signal }) =>
      readPath<{ data: JobRow[]; next_cursor: string | null }>(
        "/v1/jobs",
        { source: id, limit: String(COUNTED) },
        signal,
      ),
    refetchInterval: LOOK_EVERY_MS,
  });
  const counts = Map.groupBy(data?.data ?? [], ({ status }) => status);
  return (
    <Panel
      title="Jobs at Gemini"
      actions={
        <Link className="button" to="/jobs" search={{ source: id }}>
          Show all
        </Link>
      }
    >
      {error !== null && <ProblemNote error={error} onRetry={() => void refetch()} />}
      {data?.data.length === 0 && (
        <p className="muted">
          None is known.{" "}
          {reconcile.enabled
            ? "The relay finds batches by itself. Interactions and videos have to be announced."
            : "Reconcile the source, and the relay finds batches by itself and notices webhooks that do not come."}
        </p>
      )}
      {data !== undefined && data.data.length > 0 && (
        <>
          <p className="row counts">
            {(Object.keys(JOB_STATES) as JobRow["status"][]).map((status) => (
              <Link key={status} to="/jobs" search={{ source: id, status }} title={JOB_STATES[status]}>
                <StateBadge state={status} /> {formatCount(counts.get(status)?.length ?? 0)}
              </Link>
            ))}
            {data.next_cursor !== null && <span className="muted">of the newest {COUNTED}</span>}
          </p>
          <RowTable
            rows={data.data.slice(0, SHOWN)}
            columns={COLUMNS}
            linkTo={(row) => `/jobs/${row.id}`}
            apiPath="/v1/jobs"
            label="Newest jobs"
          />
        </>
      )}
    </Panel>
  );
}
