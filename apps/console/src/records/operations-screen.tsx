// All operations on many deliveries or events, newest first. While one runs, the list follows it.

import { Link } from "@tanstack/react-router";

import type { OperationRow } from "../data/records.ts";
import type { ListColumn } from "../list/columns.tsx";
import { type ListFilter, stateOptions } from "../list/filter-bar.tsx";
import { ListScreen } from "../list/list-screen.tsx";
import { StateBadge } from "../ui/badge.tsx";
import { LabelList } from "../ui/labels.tsx";
import { Moment } from "../ui/time.tsx";
import { KeyName, OPERATION_TITLES, OperationProgress } from "./operation-words.tsx";

const COLUMNS: readonly ListColumn<OperationRow>[] = [
  { key: "kind", label: "Operation", cell: ({ kind }) => OPERATION_TITLES[kind] },
  { key: "state", label: "State", cell: ({ state }) => <StateBadge state={state} /> },
  { key: "progress", label: "Progress", cell: (operation) => <OperationProgress operation={operation} />, priority: 2 },
  { key: "started", label: "Started", cell: ({ created_at }) => <Moment at={created_at} />, priority: 2 },
  { key: "by", label: "By", cell: ({ created_by }) => <KeyName use={created_by} />, priority: 2 },
  { key: "filter", label: "Filter", cell: ({ filter }) => <LabelList labels={filter} />, priority: 3, isWide: true },
];

const FILTERS: readonly ListFilter[] = [
  {
    name: "state",
    label: "State",
    options: stateOptions(["running", "succeeded", "cancelled", "failed"]),
    isFirst: true,
  },
];

const LOOK_EVERY_MS = 2_000;

export function OperationsScreen() {
  return (
    <ListScreen<OperationRow>
      title="Operations"
      path="/v1/operations"
      columns={COLUMNS}
      filters={FILTERS}
      linkTo={({ id }) => `/operations/${id}`}
      refreshMs={(rows) => (rows.some(({ state }) => state === "running") ? LOOK_EVERY_MS : false)}
      empty={
        <>
          <p>
            <strong>No operation was started yet.</strong>
          </p>
          <p className="muted">
            Filter <Link to="/deliveries">the deliveries</Link>, and retry or cancel all that match. Filter{" "}
            <Link to="/events">the events</Link>, and replay all that match to targets of your choice.
          </p>
        </>
      }
    />
  );
}
