// Retries or cancels all deliveries that match the filters of the list: first counted, then confirmed, then an operation.

import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { relay } from "../data/client.ts";
import { allOf, isEmptySearch, type SearchParams } from "../data/search-params.ts";
import { resolveTimes } from "../data/time-range.ts";
import { ConfirmDialog } from "../ui/confirm.tsx";
import { formatCount, plural } from "../ui/format.ts";
import { ProblemNote } from "../ui/problem.tsx";
import { StateBadge } from "../ui/badge.tsx";

export type BulkVerb = "retry" | "cancel";

/** Above this number the count is typed. */
const TYPED_ABOVE = 100;

interface BulkProps {
  verb: BulkVerb;
  search: SearchParams;
  onClose: () => void;
}

export function BulkDialog({ verb, search, onClose }: BulkProps) {
  const navigate = useNavigate();
  // Times are fixed when the dialog opens: what is counted is what is changed.
  const [filter] = useState(() => readBulkFilter(verb, search));
  const counted = useQuery({
    queryKey: ["bulk", verb, filter],
    queryFn: () => callBulk(verb, { ...filter, dry_run: true }) as Promise<Schemas["MatchingDeliveries"]>,
    staleTime: 0,
    gcTime: 0,
  });
  const { data } = counted;
  const count = data?.total ?? 0;
  const start = async () => {
    if (data === undefined || count === 0) throw new Error("Nothing matches, so there is nothing to do.");
    const operation = (await callBulk(verb, filter)) as Schemas["Operation"];
    await navigate({ to: `/operations/${operation.id}`, search: {} });
  };
  return (
    <ConfirmDialog
      title={verb === "retry" ? "Retry all that match" : "Cancel all that match"}
      verb={
        data === undefined
          ? "Counting …"
          : `${verb === "retry" ? "Retry" : "Cancel"} ${plural(count, "delivery", "deliveries")}`
      }
      needs="write"
      isDanger={verb === "cancel"}
      typed={count > TYPED_ABOVE ? String(count) : undefined}
      onConfirm={start}
      onClose={onClose}
    >
      <p>
        {verb === "retry"
          ? "Each gets a new deadline, and is due at once. Without a status in the filters, the exhausted ones are retried."
          : "No more attempts are made of them. Each can be retried by hand later."}
      </p>
      {counted.error !== null && <ProblemNote error={counted.error} onRetry={() => void counted.refetch()} />}
      {counted.isPending && <p className="muted">Counting what matches …</p>}
      {data && <BulkCounts counts={data} />}
      <SentFilter filter={filter} />
    </ConfirmDialog>
  );
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

function SentFilter({ filter }: { filter: object }) {
  return (
    <details>
      <summary>The filter that is sent</summary>
      <pre>{JSON.stringify(filter, null, 2)}</pre>
    </details>
  );
}

const LISTS = ["label", "user_metadata", "status_code", "status"];

/** The filters of the list in the form of the bulk endpoints. Without any, all deliveries are meant, and it is said so. */
function readBulkFilter(verb: BulkVerb, search: SearchParams): Record<string, unknown> {
  const entries = Object.entries(resolveTimes(search))
    .filter(([name, value]) => value !== undefined && !(verb === "cancel" && name === "status"))
    .map(([name, value]) => {
      if (LISTS.includes(name)) return [name, allOf(value)];
      return [name, name === "min_attempts" ? Number(value) : value];
    });
  return { ...Object.fromEntries(entries), ...(isEmptySearch(search) || entries.length === 0 ? { all: true } : {}) };
}

const callBulk = (verb: BulkVerb, body: object): Promise<unknown> =>
  relay.ask("POST", `/v1/deliveries:${verb}`, { body });
