// One job at Gemini: what is known of its end, and when the relay asks next.

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import { NameLink } from "../data/names.tsx";
import type { JobRow } from "../data/records.ts";
import { changeHeaders, readTagged, type Tagged } from "../data/tagged.ts";
import { StateBadge } from "../ui/badge.tsx";
import { ActionButton } from "../ui/button.tsx";
import { CopyId } from "../ui/copy.tsx";
import { Facts, Panel } from "../ui/facts.tsx";
import { LabelList } from "../ui/labels.tsx";
import { PageHead } from "../ui/page.tsx";
import { faultUnder, ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { useSubmission } from "../ui/submit.ts";
import { Ago, Countdown, Moment } from "../ui/time.tsx";
import { TextField } from "../setup/form-parts.tsx";
import { JOB_STATES } from "./job-columns.tsx";

const LOOK_EVERY_MS = 5_000;

export function JobScreen() {
  const { id = "" } = useParams({ strict: false });
  const path = `/v1/jobs/${id}`;
  const read = useQuery({
    queryKey: ["job", id],
    queryFn: ({ signal }) => readTagged<JobRow>(path, signal),
    refetchInterval: LOOK_EVERY_MS,
  });
  const job = read.data?.value;
  return (
    <>
      <PageHead
        title={job?.name ?? (job === undefined ? "Job" : `${job.kind} without a name`)}
        beside={
          <>
            {job && <StateBadge state={job.status} />}
            <CopyId id={id} />
          </>
        }
        path={path}
        id={id}
        actions={
          job?.name && (
            <Link className="button" to="/events" search={{ data_id: job.name }}>
              Show events
            </Link>
          )
        }
      />
      {read.error !== null && <ProblemNote error={read.error} onRetry={() => void read.refetch()} />}
      {read.isLoading && <Skeleton kind="page" />}
      {job && (
        <Panel title="What is known">
          <p>{JOB_STATES[job.status]}</p>
          {job.problem !== null && <p className="note bad">The last look failed: {job.problem}</p>}
          <JobFacts job={job} />
        </Panel>
      )}
      {read.data && read.data.value.name === null && <NamePanel job={read.data} />}
    </>
  );
}

function JobFacts({ job }: { job: JobRow }) {
  return (
    <Facts
      facts={[
        ["Kind", job.kind],
        ["State at Gemini", job.state ?? (job.checked_at === null ? "not asked yet" : "unknown")],
        ["Source", <NameLink key="source" kind="sources" id={job.source} />],
        [
          "Event of its end",
          job.event && (
            <Link key="event" to={`/events/${job.event}`}>
              {job.event}
            </Link>
          ),
        ],
        ["Expected", <Moment key="expected" at={job.expected_at} />],
        ["Ended", job.ended_at && <Moment key="ended" at={job.ended_at} />],
        ["Last look", <Ago key="checked" at={job.checked_at} />],
        ["Next look", job.next_check_at && <Countdown key="next" at={job.next_check_at} />],
        ["Known since", <Moment key="created" at={job.created_at} />],
        ["Labels", <LabelList key="labels" labels={job.labels} />],
      ]}
    />
  );
}

/** The callback URL was made before the job, so its name comes afterwards. */
function NamePanel({ job: { value, etag } }: { job: Tagged<JobRow> }) {
  const [name, setName] = useState("");
  const { isBusy, error, submit } = useSubmission(async () => {
    await relay.ask("PATCH", `/v1/jobs/${value.id}`, {
      body: { name: name.trim() },
      headers: changeHeaders(etag, false),
    });
    await queries.invalidateQueries();
  });
  return (
    <Panel title="Its name at Gemini">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <TextField
          label="Name"
          hint="As Gemini answered it when the job started. Without it, the relay cannot ask for the job."
          value={name}
          onText={setName}
          fault={faultUnder(error, "/name")}
        />
        {error !== undefined && <ProblemNote error={error} shownElsewhere={["name"]} />}
        <p>
          <ActionButton needs="write" type="submit" kind="primary" isBusy={isBusy}>
            Give the name
          </ActionButton>
        </p>
      </form>
    </Panel>
  );
}
