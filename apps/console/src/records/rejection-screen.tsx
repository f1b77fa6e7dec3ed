// One refused request: why it was refused, what to do about it, and what is known of its sender. Its body is not kept.

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";

import { readPath } from "../data/client.ts";
import { NameLink } from "../data/names.tsx";
import type { RejectionRow } from "../data/records.ts";
import { REFUSAL_ADVICE } from "../list/refusal-advice.ts";
import { CopyId } from "../ui/copy.tsx";
import { Facts, Panel } from "../ui/facts.tsx";
import { formatBytes, plural } from "../ui/format.ts";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Moment } from "../ui/time.tsx";

export function RejectionScreen() {
  const { id = "" } = useParams({ strict: false });
  const path = `/v1/rejections/${id}`;
  const rejection = useQuery({
    queryKey: ["rejection", id],
    queryFn: ({ signal }) => readPath<RejectionRow>(path, {}, signal),
    staleTime: Infinity,
  });
  const { data } = rejection;
  return (
    <>
      <PageHead
        title={data === undefined ? "Rejection" : `Refused: ${data.reason.replaceAll("_", " ")}`}
        beside={<CopyId id={id} />}
        path={path}
        id={id}
      />
      {rejection.error !== null && <ProblemNote error={rejection.error} onRetry={() => void rejection.refetch()} />}
      {rejection.isLoading && <Skeleton kind="page" />}
      {data && (
        <>
          <Panel title="What to do">
            <p>{REFUSAL_ADVICE[data.reason].what}</p>
            <p>{REFUSAL_ADVICE[data.reason].todo}</p>
            <p>
              <Link to={`/sources/${data.source}`}>Open the source</Link>
            </p>
          </Panel>
          <Panel title="What is known">
            <RejectionFacts rejection={data} />
          </Panel>
          <Panel title="Others">
            <OtherRejections rejection={data} />
          </Panel>
        </>
      )}
    </>
  );
}

function RejectionFacts({ rejection }: { rejection: RejectionRow }) {
  const { created_at, detail, source, webhook_id, remote_address, size_bytes, count } = rejection;
  return (
    <Facts
      facts={[
        ["Refused", <Moment key="refused" at={created_at} />],
        ["Detail", detail],
        ["Source", <NameLink key="source" kind="sources" id={source} />],
        ["webhook-id", webhook_id && <code key="webhook">{webhook_id}</code>],
        ["From", remote_address && <code key="from">{remote_address}</code>],
        ["Size", size_bytes === null ? null : formatBytes(size_bytes)],
        [
          "Stands for",
          count === 1 ? "this request" : `${plural(count, "request")}, of which only this one is in the log`,
        ],
      ]}
    />
  );
}

/** Whoever looks at one refused request asks next whether it is the only one. */
function OtherRejections({ rejection: { reason, source, remote_address, webhook_id } }: { rejection: RejectionRow }) {
  return (
    <p className="row">
      <Link className="button" to="/rejections" search={{ reason, source }}>
        Same reason at this source
      </Link>
      {remote_address !== null && (
        <Link className="button" to="/rejections" search={{ remote_address }}>
          All from this address
        </Link>
      )}
      {webhook_id !== null && (
        <>
          <Link className="button" to="/rejections" search={{ webhook_id }}>
            All with this webhook-id
          </Link>
          <Link className="button" to="/events" search={{ webhook_id }}>
            Its event, if one was accepted
          </Link>
        </>
      )}
    </p>
  );
}
