// The columns of deliveries, wherever they are listed.

import { NameLink, useHold, useNames } from "../data/names.tsx";
import type { DeliveryRow } from "../data/records.ts";
import type { ListColumn } from "./columns.tsx";
import { StateBadge, StatusCode } from "../ui/badge.tsx";
import { Ago, Countdown, Moment } from "../ui/time.tsx";

export const DELIVERY_COLUMNS: readonly ListColumn<DeliveryRow>[] = [
  { key: "type", label: "Event", cell: ({ event_type }) => event_type ?? "no type" },
  { key: "status", label: "Status", cell: ({ status }) => <StateBadge state={status} /> },
  {
    key: "target",
    label: "Target",
    cell: ({ target }) => <NameLink kind="targets" id={target} />,
    under: ({ target }) => <TargetName id={target} />,
  },
  { key: "created", label: "Created", cell: ({ created_at }) => <Moment at={created_at} />, priority: 2 },
  { key: "attempts", label: "Attempts", cell: ({ attempt_count }) => attempt_count, isNumber: true, priority: 2 },
  {
    key: "answer",
    label: "Last answer",
    cell: (delivery) => <LastAnswer delivery={delivery} />,
    isWide: true,
    priority: 2,
  },
  { key: "next", label: "Next or finished", cell: (delivery) => <NextOrFinished delivery={delivery} />, priority: 2 },
];

const TargetName = ({ id }: { id: string }) => useNames("targets").get(id) ?? id;

/** The status, and the error beside it. An error can be longer than its cell, which says all of it when it is pointed at. */
function LastAnswer({ delivery: { last_status_code, last_error } }: { delivery: DeliveryRow }) {
  return (
    <span title={last_error ?? undefined}>
      <StatusCode code={last_status_code} error={last_error} />
      {last_error !== null && <span className="muted"> {last_error}</span>}
    </span>
  );
}

function NextOrFinished({ delivery }: { delivery: DeliveryRow }) {
  const { next_attempt_at, finished_at, in_flight, target } = delivery;
  const hold = useHold(target);
  if (in_flight) return "in flight";
  return next_attempt_at === null ? <Ago at={finished_at} none="–" /> : <Countdown at={next_attempt_at} due={hold} />;
}
