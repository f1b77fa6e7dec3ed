// Retries or cancels all deliveries that match the filters of the list: first counted, then confirmed, then an operation.

import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { relay } from "../data/client.ts";
import { allOf, type SearchParams } from "../data/search-params.ts";
import { ConfirmDialog, TYPED_ABOVE } from "../ui/confirm.tsx";
import { formatCount, plural } from "../ui/format.ts";
import { ProblemNote } from "../ui/problem.tsx";
import { StateBadge } from "../ui/badge.tsx";
import { readBulkFilter } from "./bulk-filter.ts";
import { SentFilter } from "./sent-filter.tsx";

export type BulkVerb = "retry" | "cancel";

interface BulkProps {
  verb: BulkVerb;
  search: SearchParams;
  onClose: () => void;
}

export function BulkDialog({ verb, search, onClose }: BulkProps) {
  const navigate = useNavigate();
  // Times are fixed when the dialog opens: what is counted is what is changed.
  const [filter] = useState(() => readBulkFilter(search, verb === "cancel" ? ["status"] : []));
  // Only what is pending is cancelled. Without the filter by status, far more would be cancelled than the list shows.
  const statuses = allOf(search["status"]);
  const isWithoutPending = verb === "cancel" && statuses.length > 0 && !statuses.includes("pending");
  const counted = useQuery({
    queryKey: ["bulk", verb, filter],
    queryFn: () => callBulk(verb, { ...filter, dry_run: true }) as Promise<Schemas["MatchingDeliveries"]>,
    enabled: !isWithoutPending,
    staleTime: 0,
    gcTime: 0,
  });
  const { data } = counted;
  const count = data?.total ?? 0;
  const start = async () => {
    const operation = (await callBulk(verb, filter)) as Schemas["Operation"];
    await navigate({ to: `/operations/${operation.id}`, search: {} });
  };
  return (
    <ConfirmDialog
      title={verb === "retry" ? "Retry all that match" : "Cancel all that match"}
      verb={
        data === undefined
          ? `${verb === "retry" ? "Retry" : "Cancel"} all`
          : `${verb === "retry" ? "Retry" : "Cancel"} ${plural(count, "delivery", "deliveries")}`
      }
      needs="write"
      isDanger={verb === "cancel"}
      typed={count > TYPED_ABOVE ? String(count) : undefined}
      reason={whyNoChange(isWithoutPending, data)}
      call={{ method: "POST", path: `/v1/deliveries:${verb}`, body: filter }}
      onConfirm={start}
      onClose={onClose}
    >
      <p>
        {verb === "retry"
          ? "Each gets a new deadline, and is due at once. Without a status in the filters, the exhausted ones are retried."
          : "No more attempts are made of them. Each can be retried by hand later."}
      </p>
      {counted.error !== null && <ProblemNote error={counted.error} onRetry={() => void counted.refetch()} />}
      {isWithoutPending && <p className="note warn">{NOTHING_PENDING}</p>}
      {counted.isFetching && <p className="muted">Counting what matches …</p>}
      {data && <BulkCounts counts={data} />}
      <SentFilter filter={filter} />
    </ConfirmDialog>
  );
}

const NOTHING_PENDING = "Only pending deliveries can be cancelled, and the filters leave them out.";

function whyNoChange(isWithoutPending: boolean, counts: Schemas["MatchingDeliveries"] | undefined): string | undefined {
  if (isWithoutPending) return NOTHING_PENDING;
  if (counts === undefined) return "Wait until it is counted.";
  return counts.total === 0 ? "Nothing matches, so there is nothing to do." : undefined;
}

function BulkCounts({ counts: { by_status, total, complete } }: { counts: Schemas["MatchingDeliveries"] }) {
  return (
    <div className="stack">
      <p>
        <strong>
          {complete ? "" : "At least "}
          {plural(total, "delivery", "deliveries")}
        </strong>{" "}
        {complete ? "" : "(counting took too long, and was stopped)"}
      </p>
      <p className="row">
        {Object.entries(by_status)
          .filter(([, count]) => count > 0)
          .map(([status, count]) => (
            <span key={status}>
              <StateBadge state={status} /> {formatCount(count)}
            </span>
          ))}
      </p>
    </div>
  );
}

const callBulk = (verb: BulkVerb, body: object): Promise<unknown> =>
  relay.ask("POST", `/v1/deliveries:${verb}`, { body });
