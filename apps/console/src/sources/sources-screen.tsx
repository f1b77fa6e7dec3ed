// All sources: where events come from, and whether each is ready for them.

import { Link } from "@tanstack/react-router";

import type { SourceRow } from "../data/records.ts";
import type { ListColumn } from "../list/columns.tsx";
import { ListScreen } from "../list/list-screen.tsx";
import { StateBadge, type Tone } from "../ui/badge.tsx";
import { Ago } from "../ui/time.tsx";
import { FormLink } from "../setup/form-link.tsx";

const COLUMNS: readonly ListColumn<SourceRow>[] = [
  { key: "name", label: "Name", cell: ({ name }) => name },
  { key: "ready", label: "State", cell: (source) => <SourceState source={source} /> },
  { key: "kind", label: "Kind", cell: ({ kind }) => kind, priority: 2 },
  { key: "schemes", label: "Schemes", cell: ({ schemes }) => schemes.join(", "), priority: 3 },
  { key: "path", label: "Address", cell: ({ ingress_path }) => <code>{ingress_path}</code>, isWide: true, priority: 2 },
  { key: "gemini", label: "At Gemini", cell: ({ upstream }) => upstream?.state ?? "–", priority: 3 },
  { key: "created", label: "Made", cell: ({ created_at }) => <Ago at={created_at} />, priority: 2 },
];

/** The source to which `POST /v1/events` sends. */
export const SOURCE_OF_API = "api";

function readinessOf({ name, kind, signing_secrets, lost_secrets, upstream }: SourceRow): [text: string, tone: Tone] {
  if (lost_secrets.length > 0) return ["secrets lost", "bad"];
  if (upstream !== null && upstream.drift.length > 0) return ["differs at Gemini", "warn"];
  if (name === SOURCE_OF_API) return ["for the API", "quiet"];
  if (kind === "static" && signing_secrets.length === 0) return ["no secret", "warn"];
  return ["ready", "good"];
}

function SourceState({ source }: { source: SourceRow }) {
  const [text, tone] = readinessOf(source);
  return <StateBadge state={text} tone={tone} />;
}

export function SourcesScreen() {
  return (
    <ListScreen<SourceRow>
      title="Sources"
      path="/v1/sources"
      columns={COLUMNS}
      filters={[{ name: "name", label: "Name", placeholder: "the whole name", isFirst: true }]}
      linkTo={({ id }) => `/sources/${id}`}
      actions={
        <FormLink to="/sources/new" needs="write">
          New source
        </FormLink>
      }
      empty={
        <>
          <p>
            <strong>No source, so no event can arrive.</strong>
          </p>
          <p className="muted">
            <Link to="/sources/new">Make one</Link>, and point Gemini at it.
          </p>
        </>
      }
    />
  );
}
