// One event that could not be stored: why, its body, one more try, or discarding it for good.

import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { readBodyText } from "../data/body-text.ts";
import { queries, readPath, relay } from "../data/client.ts";
import { NameLink } from "../data/names.tsx";
import type { ShownSetAside } from "../data/records.ts";
import { ActionButton } from "../ui/button.tsx";
import { CallButton } from "../ui/call-button.tsx";
import { ConfirmDialog } from "../ui/confirm.tsx";
import { CopyId } from "../ui/copy.tsx";
import { Facts, Panel } from "../ui/facts.tsx";
import { formatBytes, plural } from "../ui/format.ts";
import { LongText } from "../ui/json-view.tsx";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Moment } from "../ui/time.tsx";
import { say } from "../ui/toast.tsx";

export function SetAsideEventScreen() {
  const { id = "" } = useParams({ strict: false });
  const path = `/v1/set-aside-events/${id}`;
  const event = useQuery({
    queryKey: ["set-aside-event", id],
    queryFn: ({ signal }) => readPath<ShownSetAside>(path, {}, signal),
  });
  const { data } = event;
  return (
    <>
      <PageHead
        title="Event that was set aside"
        beside={<CopyId id={id} />}
        path={path}
        id={id}
        actions={data && <SetAsideActions id={id} />}
      />
      {event.error !== null && <ProblemNote error={event.error} onRetry={() => void event.refetch()} />}
      {event.isLoading && <Skeleton kind="page" />}
      {data && (
        <>
          <p className="note bad">{data.error}</p>
          <Panel title="What is known">
            <SetAsideFacts event={data} />
          </Panel>
          <Panel title={data.body === null ? "Job in the queue" : "Body"}>
            <SetAsideBody event={data} />
          </Panel>
        </>
      )}
    </>
  );
}

function SetAsideFacts({ event }: { event: ShownSetAside }) {
  const { source, webhook_id, received_at, failed_at, starts, store, size_bytes } = event;
  return (
    <Facts
      facts={[
        ["Source", <NameLink key="source" kind="sources" id={source} />],
        ["webhook-id", webhook_id && <code key="webhook">{webhook_id}</code>],
        ["Received", <Moment key="received" at={received_at} none="not known" />],
        ["Last try", <Moment key="failed" at={failed_at} />],
        ["Tried", plural(starts, "time")],
        ["Kept in", store === "redis" ? "Redis" : "PostgreSQL"],
        ["Size", size_bytes === null ? null : formatBytes(size_bytes)],
        ["Event", event.event && <code key="event">{event.event}</code>],
      ]}
    />
  );
}

function SetAsideBody({ event: { body, job } }: { event: ShownSetAside }) {
  const { text, isText } = useMemo(
    () => (body === null ? { text: job ?? "", isText: true } : readBodyText(bytesOf(body))),
    [body, job],
  );
  return (
    <>
      {!isText && (
        <p className="muted">
          These bytes are not UTF-8: a “�” stands for what is no character. The body is kept as it came.
        </p>
      )}
      <LongText text={text} label={body === null ? "Job in the queue" : "Body"} />
    </>
  );
}

const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

function SetAsideActions({ id }: { id: string }) {
  const navigate = useNavigate();
  const [isDiscarding, setDiscarding] = useState(false);
  const leave = async () => {
    queries.removeQueries({ queryKey: ["set-aside-event", id] });
    await queries.invalidateQueries({ queryKey: ["list", "/v1/set-aside-events"] });
    await navigate({ to: "/set-aside", search: {} });
  };
  const discard = async () => {
    await relay.delete("/v1/set-aside-events/{id}", { params: { path: { id } } });
    say("The event is discarded");
    await leave();
  };
  return (
    <>
      <CallButton
        needs="write"
        kind="primary"
        call={{ method: "POST", path: `/v1/set-aside-events/${id}:retry` }}
        done="It is tried once more. If that fails, it comes back to this list."
        onDone={leave}
      >
        Try once more
      </CallButton>
      <ActionButton needs="write" kind="danger" onClick={() => setDiscarding(true)}>
        Discard…
      </ActionButton>
      {isDiscarding && (
        <ConfirmDialog
          title="Discard this event for good"
          verb="Discard it"
          needs="write"
          isDanger
          typed={id}
          call={{ method: "DELETE", path: `/v1/set-aside-events/${id}` }}
          onConfirm={discard}
          onClose={() => setDiscarding(false)}
        >
          <p>
            Its sender was told that it was accepted, and does not send it again. Nobody can bring it back. Copy its
            body first if you may need it.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}
