// All targets: where events go, whether each is well, and how much waits for it.

import { Link } from "@tanstack/react-router";

import type { TargetRow } from "../data/records.ts";
import { useWatchedTargets } from "../data/watched-targets.ts";
import type { ListColumn } from "../list/columns.tsx";
import { ListScreen } from "../list/list-screen.tsx";
import { StateBadge, TroubleBadge } from "../ui/badge.tsx";
import { Ago } from "../ui/time.tsx";
import { FormLink } from "../setup/form-link.tsx";
import { KIND_NAMES } from "./target-kinds.ts";
import { WaitingCount } from "./waiting.tsx";

const COLUMNS: readonly ListColumn<TargetRow>[] = [
  { key: "name", label: "Name", cell: ({ name }) => name },
  { key: "state", label: "State", cell: (target) => <StateInList target={target} /> },
  { key: "waiting", label: "Waiting", cell: ({ id }) => <WaitingCount target={id} />, isNumber: true },
  { key: "kind", label: "Kind", cell: ({ kind }) => KIND_NAMES[kind], priority: 2 },
  {
    key: "events",
    label: "Events",
    cell: ({ subscribed_events, filter }) => subscribed_events.join(", ") + (filter === null ? "" : " · filtered"),
    priority: 3,
  },
  { key: "uri", label: "URL", cell: ({ uri }) => uri ?? "", priority: 2, isWide: true },
  { key: "success", label: "Last success", cell: ({ health }) => <Ago at={health.last_success_at} />, priority: 2 },
];

/** The state, or what is wrong while the target is enabled. */
function StateInList({ target: { id, state, health } }: { target: TargetRow }) {
  const { data: watched, isPending } = useWatchedTargets();
  // It could be failing: a badge that says "enabled" would take that back a moment later.
  if (isPending && state === "enabled") return <span className="muted">…</span>;
  const trouble = watched?.find(({ target }) => target.id === id)?.trouble;
  if (trouble === undefined || state !== "enabled") return <StateBadge state={state} />;
  return <TroubleBadge trouble={trouble} state={state} breaker={health.breaker} />;
}

export function TargetsScreen() {
  return (
    <ListScreen<TargetRow>
      title="Targets"
      path="/v1/targets"
      columns={COLUMNS}
      filters={[{ name: "name", label: "Name", placeholder: "the whole name", isFirst: true }]}
      linkTo={({ id }) => `/targets/${id}`}
      actions={
        <FormLink to="/targets/new" needs="write">
          New target
        </FormLink>
      }
      empty={
        <>
          <p>
            <strong>No target yet, so events are stored and go nowhere.</strong>
          </p>
          <p className="muted">
            A target is one of your services, or a channel of a chat service.{" "}
            <Link to="/targets/new">Make the first</Link>.
          </p>
        </>
      }
    />
  );
}
