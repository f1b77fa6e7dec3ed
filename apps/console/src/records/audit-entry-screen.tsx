// One entry of the audit trail: who did it, and each field before and after.

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { readPath } from "../data/client.ts";
import type { AuditRow } from "../data/records.ts";
import { useRefusal } from "../data/session.ts";
import { AdminOnly } from "../ui/admin-only.tsx";
import { CopyButton, CopyId } from "../ui/copy.tsx";
import { EmptyNote, Facts, Panel } from "../ui/facts.tsx";
import { plural } from "../ui/format.ts";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Moment } from "../ui/time.tsx";
import { KeyName } from "./operation-words.tsx";
import { compareStates, type FieldDifference } from "./state-difference.ts";

export function AuditEntryScreen() {
  const refusal = useRefusal("admin");
  return refusal === undefined ? <ShownEntry /> : <AdminOnly title="Audit" refusal={refusal} />;
}

function ShownEntry() {
  const { id = "" } = useParams({ strict: false });
  const path = `/v1/audit/${id}`;
  const entry = useQuery({
    queryKey: ["audit", id],
    queryFn: ({ signal }) => readPath<AuditRow>(path, {}, signal),
    staleTime: Infinity,
  });
  const { data } = entry;
  return (
    <>
      <PageHead title={data?.action ?? "Audit entry"} beside={<CopyId id={id} />} path={path} id={id} />
      {entry.error !== null && <ProblemNote error={entry.error} onRetry={() => void entry.refetch()} />}
      {entry.isLoading && <Skeleton kind="page" />}
      {data && (
        <>
          <Panel title="Who and when">
            <EntryFacts entry={data} />
          </Panel>
          <Panel title="What changed">
            <StateDifference before={data.before} after={data.after} />
          </Panel>
        </>
      )}
    </>
  );
}

function EntryFacts({ entry: { created_at, actor, resource, request_id, remote_address } }: { entry: AuditRow }) {
  return (
    <Facts
      facts={[
        ["Time", <Moment key="time" at={created_at} />],
        ["By", <KeyName key="by" use={actor} />],
        [
          "Resource",
          /^[a-z]{3}_/.test(resource.id) ? (
            <Link key="resource" to={`/go/${resource.id}`}>
              {resource.id}
            </Link>
          ) : (
            resource.id
          ),
        ],
        ["From", remote_address && <code key="from">{remote_address}</code>],
        [
          "Request",
          <span key="request">
            <code>{request_id}</code> <CopyButton text={request_id} what="the request id" />
          </span>,
        ],
        [
          "Others of it",
          <Link key="others" to="/audit" search={{ resource: resource.id }}>
            All changes of this {resource.type.replaceAll("_", " ")}
          </Link>,
        ],
      ]}
    />
  );
}

function StateDifference({ before, after }: Pick<AuditRow, "before" | "after">) {
  const [isWhole, setWhole] = useState(before === null || after === null);
  const fields = compareStates(before, after);
  const changed = fields.filter(({ isChanged }) => isChanged);
  const same = fields.length - changed.length;
  if (fields.length === 0) return <EmptyNote title="This action changes no field." />;
  return (
    <div className="stack">
      <p className="muted">
        {before === null && "It is new: there was no earlier state."}
        {before !== null && after === null && "No state was left."}
        {before !== null && after !== null && plural(changed.length, "field differs", "fields differ")}
      </p>
      <div className="table-box">
        <table className="difference" aria-label="Fields before and after">
          <thead>
            <tr>
              <th scope="col">Field</th>
              {before !== null && <th scope="col">Before</th>}
              {after !== null && <th scope="col">After</th>}
            </tr>
          </thead>
          <tbody>
            {(isWhole ? fields : changed).map((field) => (
              <DifferenceLine key={field.path} field={field} hasBefore={before !== null} hasAfter={after !== null} />
            ))}
          </tbody>
        </table>
      </div>
      {before !== null && after !== null && same > 0 && (
        <p>
          <button type="button" className="small" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
            {isWhole ? "Hide what is the same" : `Show also the ${plural(same, "field")} that stayed the same`}
          </button>
        </p>
      )}
    </div>
  );
}

interface DifferenceProps {
  field: FieldDifference;
  hasBefore: boolean;
  hasAfter: boolean;
}

function DifferenceLine({ field: { path, before, after, isChanged }, hasBefore, hasAfter }: DifferenceProps) {
  const isMarked = isChanged && hasBefore && hasAfter;
  return (
    <tr>
      <th scope="row">
        <code>{path}</code>
      </th>
      {hasBefore && (
        <td className={isMarked ? "was" : undefined}>
          {isMarked ? <del>{showValue(before)}</del> : showValue(before)}
        </td>
      )}
      {hasAfter && (
        <td className={isMarked ? "is" : undefined}>{isMarked ? <ins>{showValue(after)}</ins> : showValue(after)}</td>
      )}
    </tr>
  );
}

function showValue(value: unknown) {
  if (value === undefined) return <span className="muted">not there</span>;
  return <code>{typeof value === "string" ? value : JSON.stringify(value)}</code>;
}
