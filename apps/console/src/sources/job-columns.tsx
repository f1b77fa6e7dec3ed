// The columns of jobs, and what their states mean.

import { NameLink } from "../data/names.tsx";
import type { JobRow } from "../data/records.ts";
import type { ListColumn } from "../list/columns.tsx";
import { StateBadge } from "../ui/badge.tsx";
import { Ago } from "../ui/time.tsx";

export const JOB_STATES: Record<JobRow["status"], string> = {
  waiting: "The relay waits for its end.",
  seen: "A webhook told of its end.",
  reconciled: "No webhook came, so the relay asked Gemini and made the event itself.",
  overdue: "It runs for longer than was expected. The relay goes on asking.",
  failed: "Gemini does not know it any more.",
};

export const JOB_COLUMNS: readonly ListColumn<JobRow>[] = [
  { key: "name", label: "Job", cell: (job) => <JobTitle job={job} /> },
  { key: "status", label: "Status", cell: ({ status }) => <StateBadge state={status} /> },
  { key: "kind", label: "Kind", cell: ({ kind }) => kind, priority: 2 },
  { key: "state", label: "At Gemini", cell: ({ state }) => state ?? "–", priority: 2 },
  { key: "source", label: "Source", cell: ({ source }) => <NameLink kind="sources" id={source} />, priority: 2 },
  { key: "problem", label: "Problem", cell: ({ problem }) => problem ?? "", isWide: true, priority: 3 },
  { key: "expected", label: "Expected", cell: ({ expected_at }) => <Ago at={expected_at} />, priority: 2 },
];

function JobTitle({ job: { name, kind } }: { job: JobRow }) {
  return <span className="clip job-name">{name ?? `${kind} without a name yet`}</span>;
}
