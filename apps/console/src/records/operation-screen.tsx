// One operation: its progress, what it was asked to do, who started it, and stopping it.

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { queries, readPath, relay } from "../data/client.ts";
import { relayNow, useEachSecond } from "../data/clock.ts";
import { NameLink } from "../data/names.tsx";
import type { OperationRow } from "../data/records.ts";
import { StateBadge } from "../ui/badge.tsx";
import { ActionButton } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm.tsx";
import { CopyId } from "../ui/copy.tsx";
import { Facts, Panel } from "../ui/facts.tsx";
import { formatCount, formatDuration } from "../ui/format.ts";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Moment } from "../ui/time.tsx";
import { say } from "../ui/toast.tsx";
import { searchOfOperation } from "./operation-search.ts";
import { handledOf, KeyName, OPERATION_TITLES, OperationProgress, unitOf } from "./operation-words.tsx";
import { ReplayedTargets } from "./replayed-targets.tsx";

const LOOK_EVERY_MS = 1_000;

export function OperationScreen() {
  const { id = "" } = useParams({ strict: false });
  const path = `/v1/operations/${id}`;
  const operation = useQuery({
    queryKey: ["operation", id],
    queryFn: ({ signal }) => readPath<OperationRow>(path, {}, signal),
    refetchInterval: ({ state }) => (state.data?.state === "running" ? LOOK_EVERY_MS : false),
  });
  const { data } = operation;
  return (
    <>
      <PageHead
        title={data === undefined ? "Operation" : OPERATION_TITLES[data.kind]}
        beside={
          <>
            {data && <StateBadge state={data.state} />}
            <CopyId id={id} />
          </>
        }
        path={path}
        id={id}
        actions={data && <OperationActions operation={data} />}
      />
      {operation.error !== null && <ProblemNote error={operation.error} onRetry={() => void operation.refetch()} />}
      {operation.isLoading && <Skeleton kind="page" />}
      {data && (
        <>
          <Panel title="Progress">
            <OperationProgress operation={data} />
            <OperationCounts operation={data} />
            {data.error !== null && (
              <p className={data.state === "running" ? "note warn" : "note bad"}>
                {data.state === "running" ? "The last step failed, and is tried again: " : "It was given up: "}
                {data.error}
              </p>
            )}
          </Panel>
          {data.replay !== null && <ReplayedTargets replay={data.replay} />}
          <Panel title="What was asked">
            <OperationFilter operation={data} />
          </Panel>
        </>
      )}
    </>
  );
}

function OperationCounts({ operation }: { operation: OperationRow }) {
  const { kind, done, failed, created_at, finished_at, created_by } = operation;
  const isReplay = kind === "replay_events";
  const doneWords = { retry_deliveries: "Made due", cancel_deliveries: "Cancelled", replay_events: "Gone through" };
  return (
    <Facts
      facts={[
        [doneWords[kind], formatCount(done)],
        [isReplay ? "The filter failed on" : "Left as they are", formatCount(failed)],
        ["Started by", <KeyName key="by" use={created_by} />],
        ["Started", <Moment key="started" at={created_at} />],
        finished_at === null
          ? ["Still takes about", <TimeLeft key="left" operation={operation} />]
          : ["Finished", <Moment key="finished" at={finished_at} />],
        ["Took", finished_at === null ? undefined : formatDuration(Date.parse(finished_at) - Date.parse(created_at))],
      ]}
    />
  );
}

/** From the pace so far. It is a guess: targets that are slow or busy hold an operation back. */
function TimeLeft({ operation }: { operation: OperationRow }) {
  useEachSecond();
  const { total, created_at } = operation;
  const handled = handledOf(operation);
  if (total === null || handled === 0) return <span className="muted">not known yet</span>;
  const passedMs = relayNow() - Date.parse(created_at);
  return formatDuration(Math.max(1_000, (passedMs * (total - handled)) / handled));
}

function OperationFilter({ operation }: { operation: OperationRow }) {
  const entries = Object.entries(operation.filter);
  const list = operation.kind === "replay_events" ? "/events" : "/deliveries";
  return (
    <>
      <Facts facts={entries.map(([name, value]) => [name, <FilterValue key={name} name={name} value={value} />])} />
      <p>
        <Link to={list} search={searchOfOperation(operation)}>
          Show the {unitOf(operation)[1]} that match these filters now
        </Link>
      </p>
    </>
  );
}

function FilterValue({ name, value }: { name: string; value: unknown }) {
  if (name === "target" && typeof value === "string") return <NameLink kind="targets" id={value} />;
  if (name === "source" && typeof value === "string") return <NameLink kind="sources" id={value} />;
  if (name === "targets" && Array.isArray(value)) {
    return value.map((id) => (
      <span key={String(id)} className="listed">
        <NameLink kind="targets" id={String(id)} />
      </span>
    ));
  }
  if (name === "all") return "everything in the log";
  const text = [value].flat().map((one) => (typeof one === "string" ? one : JSON.stringify(one)));
  return <code>{text.join(", ")}</code>;
}

function OperationActions({ operation }: { operation: OperationRow }) {
  const [isStopping, setStopping] = useState(false);
  const { id, state } = operation;
  const stop = async () => {
    await relay.post("/v1/operations/{id}:cancel", { params: { path: { id } } });
    say("The operation is stopped");
    await queries.invalidateQueries({ queryKey: ["operation", id] });
  };
  return (
    <>
      <ActionButton
        needs="write"
        kind="danger"
        onClick={() => setStopping(true)}
        reason={state === "running" ? undefined : "It has ended already."}
      >
        Stop…
      </ActionButton>
      {isStopping && (
        <ConfirmDialog
          title="Stop this operation"
          verb="Stop it"
          needs="write"
          isDanger
          call={{ method: "POST", path: `/v1/operations/${id}:cancel` }}
          onConfirm={stop}
          onClose={() => setStopping(false)}
        >
          <p>What it did so far stays done. To do the rest later, start it again with the same filters.</p>
        </ConfirmDialog>
      )}
    </>
  );
}
