// All events that the relay received, newest first.

import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { NameLink } from "../data/names.tsx";
import type { EventRow } from "../data/records.ts";
import type { ListColumn } from "../list/columns.tsx";
import { ListScreen } from "../list/list-screen.tsx";
import { ActionButton } from "../ui/button.tsx";
import { formatBytes } from "../ui/format.ts";
import { Moment } from "../ui/time.tsx";
import { useEventFilters } from "../list/event-filters.ts";
import { LabelList } from "../ui/labels.tsx";
import { ReplayMatchingDialog } from "./replay-matching-dialog.tsx";

const COLUMNS: readonly ListColumn<EventRow>[] = [
  { key: "type", label: "Type", cell: ({ type }) => type ?? "no type" },
  { key: "received", label: "Received", cell: ({ received_at }) => <Moment at={received_at} /> },
  { key: "source", label: "Source", cell: ({ source }) => <NameLink kind="sources" id={source} />, priority: 2 },
  { key: "webhook_id", label: "webhook-id", cell: ({ webhook_id }) => <code>{webhook_id}</code>, priority: 3 },
  { key: "labels", label: "Labels", cell: ({ labels }) => <LabelList labels={labels} />, priority: 2, isWide: true },
  { key: "scheme", label: "Verified by", cell: ({ scheme }) => scheme, priority: 3 },
  { key: "size", label: "Size", cell: ({ size_bytes }) => formatBytes(size_bytes), priority: 2, isNumber: true },
];

export function EventsScreen() {
  const filters = useEventFilters();
  const [isReplaying, setReplaying] = useState(false);
  return (
    <ListScreen<EventRow>
      title="Events"
      path="/v1/events"
      columns={COLUMNS}
      filters={filters}
      linkTo={({ id }) => `/events/${id}`}
      actions={
        <ActionButton needs="write" onClick={() => setReplaying(true)}>
          Replay matching…
        </ActionButton>
      }
      empty={
        <>
          <p>
            <strong>No event has arrived yet.</strong>
          </p>
          <p className="muted">
            <Link to="/sources">Point Gemini at a source</Link>, or send an example with{" "}
            <code>sluice trigger batch.succeeded</code>.
          </p>
        </>
      }
    >
      {(_, search) => isReplaying && <ReplayMatchingDialog search={search} onClose={() => setReplaying(false)} />}
    </ListScreen>
  );
}
