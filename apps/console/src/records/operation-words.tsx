// How operations are called, who started them, and how far they are: the same words in the list and on the page of one.

import type { OperationRow } from "../data/records.ts";
import { formatCount } from "../ui/format.ts";

export const OPERATION_TITLES: Record<OperationRow["kind"], string> = {
  retry_deliveries: "Retry deliveries",
  cancel_deliveries: "Cancel deliveries",
  replay_events: "Replay events",
};

/** What one step of the operation is made of. */
export const unitOf = ({ kind }: OperationRow): [one: string, many: string] =>
  kind === "replay_events" ? ["event", "events"] : ["delivery", "deliveries"];

/** Deliveries or events that the operation has gone through. */
export const handledOf = ({ kind, done, failed }: OperationRow): number =>
  // A replay counts an event whose filter failed as done, too.
  kind === "replay_events" ? done : done + failed;

/** How far it is, as a bar with its numbers. A count that is not known yet has no bar. */
export function OperationProgress({ operation }: { operation: OperationRow }) {
  const { total, state } = operation;
  const handled = handledOf(operation);
  if (total === null) return <span className="muted">{state === "running" ? "counting …" : "not counted"}</span>;
  const isOver = state !== "running";
  return (
    <span className="progress-line">
      <progress max={Math.max(1, total)} value={isOver && state === "succeeded" ? Math.max(1, total) : handled}>
        {handled} of {total}
      </progress>
      <span>
        {formatCount(handled)} of {formatCount(total)}
      </span>
    </span>
  );
}

/** The key that did something, by the name that it had then. */
export function KeyName({ use: { key, name } }: { use: OperationRow["created_by"] }) {
  return <span title={key ?? "The key from ADMIN_API_KEY, which has no id"}>{name}</span>;
}
