// The jobs at Gemini whose ends the relay waits for.

import { Link } from "@tanstack/react-router";

import type { JobRow } from "../data/records.ts";
import { useNameOptions } from "../list/event-filters.ts";
import { type ListFilter, stateOptions } from "../list/filter-bar.tsx";
import { ListScreen } from "../list/list-screen.tsx";
import { JOB_COLUMNS, JOB_STATES } from "./job-columns.tsx";

export function JobsScreen() {
  const filters: ListFilter[] = [
    { name: "name", label: "Job", placeholder: "batches/…", isFirst: true },
    { name: "status", label: "Status", options: stateOptions(Object.keys(JOB_STATES)), isFirst: true },
    { name: "kind", label: "Kind", options: stateOptions(["batch", "interaction", "video"]), isFirst: true },
    { name: "source", label: "Source", options: useNameOptions("sources"), isFirst: true },
  ];
  return (
    <ListScreen<JobRow>
      title="Jobs"
      path="/v1/jobs"
      columns={JOB_COLUMNS}
      filters={filters}
      linkTo={({ id }) => `/jobs/${id}`}
      empty={
        <>
          <p>
            <strong>The relay waits for no job at Gemini.</strong>
          </p>
          <p className="muted">
            It finds batches when a <Link to="/sources">source</Link> has a key of the Gemini API and is reconciled.
            Other jobs are announced with <code>POST /v1/jobs</code>, or with their callback URL.
          </p>
        </>
      }
    />
  );
}
