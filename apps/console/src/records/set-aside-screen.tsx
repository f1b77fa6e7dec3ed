// Acknowledged events that could not be stored. None of them is lost as long as it is in this list.

import { useState } from "react";

import { queries, relay } from "../data/client.ts";
import { NameLink } from "../data/names.tsx";
import type { SetAsideRow } from "../data/records.ts";
import type { ListColumn } from "../list/columns.tsx";
import { ListScreen } from "../list/list-screen.tsx";
import { ActionButton } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm.tsx";
import { formatBytes, plural } from "../ui/format.ts";
import { Moment } from "../ui/time.tsx";
import { say } from "../ui/toast.tsx";

const COLUMNS: readonly ListColumn<SetAsideRow>[] = [
  { key: "id", label: "Set aside", cell: ({ id }) => <code>{id}</code> },
  { key: "failed", label: "Last try", cell: ({ failed_at }) => <Moment at={failed_at} /> },
  {
    key: "error",
    label: "Why",
    cell: ({ error }) => <span className="wrapped">{error}</span>,
    isWide: true,
    priority: 2,
  },
  { key: "source", label: "Source", cell: ({ source }) => <NameLink kind="sources" id={source} />, priority: 2 },
  { key: "received", label: "Received", cell: ({ received_at }) => <Moment at={received_at} />, priority: 3 },
  { key: "webhook_id", label: "webhook-id", cell: ({ webhook_id }) => <code>{webhook_id ?? "–"}</code>, priority: 3 },
  { key: "starts", label: "Tries", cell: ({ starts }) => starts, priority: 2, isNumber: true },
  {
    key: "size",
    label: "Size",
    cell: ({ size_bytes }) => (size_bytes === null ? "–" : formatBytes(size_bytes)),
    priority: 3,
    isNumber: true,
  },
];

export function SetAsideScreen() {
  const [isRetrying, setRetrying] = useState(false);
  return (
    <ListScreen<SetAsideRow>
      title="Set aside"
      path="/v1/set-aside-events"
      columns={COLUMNS}
      linkTo={({ id }) => `/set-aside/${id}`}
      actions={
        <ActionButton needs="write" onClick={() => setRetrying(true)}>
          Retry all…
        </ActionButton>
      }
      empty={
        <>
          <p>
            <strong>Nothing is set aside.</strong>
          </p>
          <p className="muted">Every event that was acknowledged is stored, or is about to be.</p>
        </>
      }
    >
      {() => isRetrying && <RetryAllDialog onClose={() => setRetrying(false)} />}
    </ListScreen>
  );
}

async function retryAll(): Promise<void> {
  const { count } = await relay.post("/v1/set-aside-events:retry");
  say(`${plural(count, "event")} tried once more`);
  await queries.invalidateQueries({ queryKey: ["list", "/v1/set-aside-events"] });
}

function RetryAllDialog({ onClose }: { onClose: () => void }) {
  return (
    <ConfirmDialog
      title="Retry all"
      verb="Retry all"
      needs="write"
      call={{ method: "POST", path: "/v1/set-aside-events:retry" }}
      onConfirm={retryAll}
      onClose={onClose}
    >
      <p>
        The relay tries once more to store each of them. Those that cannot be stored come back to this list with a new
        error.
      </p>
    </ConfirmDialog>
  );
}
