// The columns of deliveries, wherever they are listed.

import { NameLink, useHold } from "../data/names.tsx";
import type { DeliveryRow } from "../data/records.ts";
import type { ListColumn } from "./columns.tsx";
import { StateBadge, StatusCode } from "../ui/badge.tsx";
import { Ago, Countdown, Moment } from "../ui/time.tsx";

export const DELIVERY_COLUMNS: readonly ListColumn<DeliveryRow>[] = [
  { key: "type", label: "Event", cell: ({ event_type }) => event_type ?? "no type" },
  { key: "status", label: "Status", cell: ({ status }) => <StateBadge state={status} /> },
  { key: "target", label: "Target", cell: ({ target }) => <NameLink kind="targets" id={target} /> },
  { key: "created", label: "Created", cell: ({ created_at }) => <Moment at={created_at} />, priority: 2 },
  { key: "attempts", label: "Attempts", cell: ({ attempt_count }) => attempt_count, isNumber: true, priority: 2 },
  {
    key: "answer",
    label: "Last answer",
    cell: ({ last_status_code, last_error }) => <StatusCode code={last_status_code} error={last_error} />,
    priority: 2,
  },
  { key: "error", label: "Last error", cell: ({ last_error }) => last_error ?? "", isWide: true, priority: 3 },
  { key: "next", label: "Next or end", cell: (delivery) => <NextOrEnd delivery={delivery} />, priority: 2 },
];

function NextOrEnd({ delivery }: { delivery: DeliveryRow }) {
  const { next_attempt_at, finished_at, in_flight, target } = delivery;
  const hold = useHold(target);
  if (in_flight) return "in flight";
  return next_attempt_at === null ? <Ago at={finished_at} none="–" /> : <Countdown at={next_attempt_at} due={hold} />;
}
