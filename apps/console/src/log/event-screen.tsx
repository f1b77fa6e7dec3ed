// One event: what arrived, what proved it, and its trace: each delivery with its attempts on one time axis.

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { readPath } from "../data/client.ts";
import { NameLink } from "../data/names.tsx";
import type { ShownEvent } from "../data/records.ts";
import { ActionButton } from "../ui/button.tsx";
import { CopyId } from "../ui/copy.tsx";
import { Facts, Panel } from "../ui/facts.tsx";
import { formatBytes } from "../ui/format.ts";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Moment } from "../ui/time.tsx";
import { EventPayload } from "./event-payload.tsx";
import { EventTrace } from "./event-trace.tsx";
import { LabelList } from "../ui/labels.tsx";
import { ReplayDialog } from "./replay-dialog.tsx";

const PROOFS: Record<ShownEvent["scheme"], string> = {
  v1: "v1: the secret of the source",
  v1a: "v1a: a public key of the source",
  jwt: "jwt: Google’s public keys",
  api: "a key of this API, which sent it",
  reconciled: "read from Gemini, because no webhook came",
  none: "none",
};

/** While a delivery is pending, the page looks again. */
const LOOK_EVERY_MS = 3_000;

export function EventScreen() {
  const { id = "" } = useParams({ strict: false });
  const path = `/v1/events/${id}`;
  const event = useQuery({
    queryKey: ["event", id],
    queryFn: ({ signal }) => readPath<ShownEvent>(path, {}, signal),
    refetchInterval: ({ state }) =>
      state.data?.deliveries.some(({ status }) => status === "pending") === true ? LOOK_EVERY_MS : false,
  });
  const [isReplaying, setReplaying] = useState(false);
  const { data } = event;
  return (
    <>
      <PageHead
        title={data?.type ?? (data === undefined ? "Event" : "Event without a type")}
        beside={<CopyId id={id} />}
        path={path}
        id={id}
        actions={
          data && (
            <>
              <Link className="button" to="/deliveries" search={{ event: id }}>
                Show deliveries
              </Link>
              <ActionButton
                needs="write"
                onClick={() => setReplaying(true)}
                reason={data.body_removed_at === null ? undefined : "Its body was removed, so it cannot be sent again."}
              >
                Replay…
              </ActionButton>
            </>
          )
        }
      />
      {event.error !== null && <ProblemNote error={event.error} onRetry={() => void event.refetch()} />}
      {event.isLoading && <Skeleton kind="page" />}
      {data && (
        <>
          <Panel title="Trace">
            <EventTrace event={data} />
          </Panel>
          {data.filter_errors.length > 0 && <FilterErrors errors={data.filter_errors} />}
          <Panel title="What arrived">
            <EventFacts event={data} />
          </Panel>
          <Panel title="Payload">
            <EventPayload event={data} />
          </Panel>
        </>
      )}
      {isReplaying && data && <ReplayDialog event={data} onClose={() => setReplaying(false)} />}
    </>
  );
}

function EventFacts({ event }: { event: ShownEvent }) {
  return (
    <Facts
      facts={[
        ["Received", <Moment key="received" at={event.received_at} isExact />],
        ["Made by Gemini", event.timestamp === null ? null : <Moment key="made" at={event.timestamp} isExact />],
        ["Source", <NameLink key="source" kind="sources" id={event.source} />],
        ["webhook-id", <code key="webhook">{event.webhook_id}</code>, "wide"],
        ["Proof", PROOFS[event.scheme]],
        ["Body", event.body_unbound ? "not covered by the signature" : undefined],
        ["Size", formatBytes(event.size_bytes)],
        ["Content encoding", event.content_encoding ?? undefined],
        ["Labels", <LabelList key="labels" labels={event.labels} />],
        ["User metadata", <LabelList key="metadata" labels={event.user_metadata} />],
      ]}
    />
  );
}

function FilterErrors({ errors }: { errors: ShownEvent["filter_errors"] }) {
  return (
    <Panel title="Filters that failed">
      <p className="muted">A filter that fails matches nothing: these targets did not get the event.</p>
      <ul>
        {errors.map(({ target, error }) => (
          <li key={target}>
            <NameLink kind="targets" id={target} />: {error}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
