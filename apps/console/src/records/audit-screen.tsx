// The audit trail: who changed what, when. For admins.

import type { AuditRow } from "../data/records.ts";
import { useRefusal } from "../data/session.ts";
import type { ListColumn } from "../list/columns.tsx";
import { useNameOptions } from "../list/event-filters.ts";
import { type ListFilter, TIME_FILTERS } from "../list/filter-bar.tsx";
import { ListScreen } from "../list/list-screen.tsx";
import { AdminOnly } from "../ui/admin-only.tsx";
import { Moment } from "../ui/time.tsx";
import { KeyName } from "./operation-words.tsx";
import { compareStates } from "./state-difference.ts";

const COLUMNS: readonly ListColumn<AuditRow>[] = [
  { key: "time", label: "Time", cell: ({ created_at }) => <Moment at={created_at} /> },
  { key: "action", label: "Action", cell: ({ action }) => <code>{action}</code> },
  { key: "actor", label: "By", cell: ({ actor }) => <KeyName use={actor} />, priority: 2 },
  { key: "resource", label: "Resource", cell: (entry) => <ResourceName entry={entry} />, priority: 2 },
  { key: "change", label: "Changed", cell: (entry) => <ChangedFields entry={entry} />, priority: 3, isWide: true },
  { key: "address", label: "From", cell: ({ remote_address }) => <code>{remote_address ?? "–"}</code>, priority: 3 },
];

const ACTIONS = [
  "target.*",
  "source.*",
  "key.*",
  "delivery.*",
  "event.*",
  "operation.*",
  "set_aside_event.*",
  "relay.*",
];

/** A resource by the name that it had, else by its id. */
function ResourceName({ entry: { resource, before, after } }: { entry: AuditRow }) {
  const name = (after ?? before)?.["name"];
  return (
    <span className="name" title={resource.id}>
      {typeof name === "string" ? name : <code>{resource.id}</code>}
    </span>
  );
}

function ChangedFields({ entry: { before, after } }: { entry: AuditRow }) {
  if (before === null || after === null) return null;
  const paths = compareStates(before, after)
    // A target's health moves by itself, whoever changes the target.
    .filter(({ isChanged, path }) => isChanged && path !== "updated_at" && !path.startsWith("health."))
    .map(({ path }) => path);
  return <span className="muted">{paths.join(", ")}</span>;
}

export function AuditScreen() {
  const refusal = useRefusal("admin");
  return refusal === undefined ? <AuditList /> : <AdminOnly title="Audit" refusal={refusal} />;
}

function AuditList() {
  const filters: ListFilter[] = [
    { name: "action", label: "Action", placeholder: "target.*", proposals: ACTIONS, isFirst: true },
    {
      name: "actor",
      label: "By",
      options: [{ value: "environment", label: "ADMIN_API_KEY" }, ...useNameOptions("keys")],
      isFirst: true,
    },
    { name: "resource", label: "Resource", placeholder: "tgt_…", isFirst: true },
    ...TIME_FILTERS,
  ];
  return (
    <ListScreen<AuditRow>
      title="Audit"
      path="/v1/audit"
      columns={COLUMNS}
      filters={filters}
      linkTo={({ id }) => `/audit/${id}`}
      empty={
        <>
          <p>
            <strong>Nothing was changed yet.</strong>
          </p>
          <p className="muted">Each change through the API, the console or the command line gets an entry here.</p>
        </>
      }
    />
  );
}
