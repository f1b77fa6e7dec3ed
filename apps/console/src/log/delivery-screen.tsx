// One delivery: how it stands, when it is attempted next, and each attempt.

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { queries, readPath, relay } from "../data/client.ts";
import { NameLink, useHold } from "../data/names.tsx";
import type { ShownDelivery } from "../data/records.ts";
import { StateBadge, StatusCode } from "../ui/badge.tsx";
import { ActionButton } from "../ui/button.tsx";
import { CallButton } from "../ui/call-button.tsx";
import { ConfirmDialog } from "../ui/confirm.tsx";
import { CopyId } from "../ui/copy.tsx";
import { Facts, Panel } from "../ui/facts.tsx";
import { plural } from "../ui/format.ts";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Ago, Countdown, Moment } from "../ui/time.tsx";
import { say } from "../ui/toast.tsx";
import { AttemptList } from "./attempt-list.tsx";

const LOOK_EVERY_MS = 3_000;

export function DeliveryScreen() {
  const { id = "" } = useParams({ strict: false });
  const path = `/v1/deliveries/${id}`;
  const delivery = useQuery({
    queryKey: ["delivery", id],
    queryFn: ({ signal }) => readPath<ShownDelivery>(path, {}, signal),
    refetchInterval: ({ state }) => (state.data?.status === "pending" ? LOOK_EVERY_MS : false),
  });
  const { data } = delivery;
  return (
    <>
      <PageHead
        title={data === undefined ? "Delivery" : `Delivery of ${data.event_type ?? "an event without a type"}`}
        beside={
          <>
            {data && <StateBadge state={data.status} />}
            <CopyId id={id} />
          </>
        }
        path={path}
        id={id}
        actions={data && <DeliveryActions delivery={data} />}
      />
      {delivery.error !== null && <ProblemNote error={delivery.error} onRetry={() => void delivery.refetch()} />}
      {delivery.isLoading && <Skeleton kind="page" />}
      {data && (
        <>
          <Panel title="State">
            <DeliveryFacts delivery={data} />
          </Panel>
          <Panel title={plural(data.attempt_count, "attempt")}>
            {data.attempts.length < data.attempt_count && (
              <p className="muted">The newest {plural(data.attempts.length, "attempt")} of them can be shown.</p>
            )}
            <AttemptList attempts={data.attempts} />
          </Panel>
        </>
      )}
    </>
  );
}

function DeliveryFacts({ delivery }: { delivery: ShownDelivery }) {
  const { next_attempt_at, in_flight, finished_at, deadline_at, status } = delivery;
  const hold = useHold(delivery.target);
  return (
    <Facts
      facts={[
        [
          "Next attempt",
          in_flight ? "in flight" : next_attempt_at && <Countdown key="next" at={next_attempt_at} due={hold} />,
        ],
        [
          "Event",
          <Link key="event" to={`/events/${delivery.event}`}>
            <code>{delivery.event}</code>
          </Link>,
          "wide",
        ],
        ["Target", <NameLink key="target" kind="targets" id={delivery.target} />],
        ["Source", <NameLink key="source" kind="sources" id={delivery.source} />],
        ["Created", <Moment key="created" at={delivery.created_at} />],
        [
          "Deadline",
          status === "pending" ? <Ago key="deadline" at={deadline_at} /> : <Moment key="deadline" at={deadline_at} />,
        ],
        ["Finished", finished_at && <Moment key="finished" at={finished_at} />],
        ["Last answer", <StatusCode key="answer" code={delivery.last_status_code} error={delivery.last_error} />],
        ["Last error", delivery.last_error ?? undefined, "wide"],
        ["Worker", delivery.worker ?? undefined],
        ["webhook-id", <code key="webhook">{delivery.webhook_id}</code>, "wide"],
      ]}
    />
  );
}

function DeliveryActions({ delivery }: { delivery: ShownDelivery }) {
  const [isCancelling, setCancelling] = useState(false);
  const { id, status, in_flight } = delivery;
  const refresh = () => queries.invalidateQueries({ queryKey: ["delivery", id] });
  const cancel = async () => {
    await relay.post("/v1/deliveries/{id}:cancel", { params: { path: { id } } });
    say("The delivery is cancelled");
    await refresh();
  };
  const inFlight = in_flight ? "A worker has it in hand at this moment." : undefined;
  return (
    <>
      <CallButton
        needs="write"
        kind="primary"
        call={{ method: "POST", path: `/v1/deliveries/${id}:retry` }}
        done="The delivery is due now"
        onDone={refresh}
        reason={inFlight}
      >
        Retry now
      </CallButton>
      <ActionButton
        needs="write"
        onClick={() => setCancelling(true)}
        reason={status === "pending" ? inFlight : "It is finished already."}
      >
        Cancel…
      </ActionButton>
      {isCancelling && (
        <ConfirmDialog
          title="Cancel this delivery"
          verb="Cancel the delivery"
          needs="write"
          isDanger
          call={{ method: "POST", path: `/v1/deliveries/${id}:cancel` }}
          onConfirm={cancel}
          onClose={() => setCancelling(false)}
        >
          <p>No more attempts are made. You can retry it by hand later, while its target exists.</p>
        </ConfirmDialog>
      )}
    </>
  );
}
