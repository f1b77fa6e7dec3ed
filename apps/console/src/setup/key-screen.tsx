// One API key: what it may do, when it was used, and what was done with it.

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";

import { readPath } from "../data/client.ts";
import type { KeyRow } from "../data/records.ts";
import { useRefusal } from "../data/session.ts";
import { AdminOnly } from "../ui/admin-only.tsx";
import { StateBadge } from "../ui/badge.tsx";
import { CopyId } from "../ui/copy.tsx";
import { Facts, Panel } from "../ui/facts.tsx";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Ago, Moment } from "../ui/time.tsx";
import { KeyScopes, RevokeKey } from "./key-parts.tsx";
import { ManagedNote } from "./managed.tsx";

export function KeyScreen() {
  const refusal = useRefusal("admin");
  return refusal === undefined ? <ShownKey /> : <AdminOnly title="Keys" refusal={refusal} />;
}

function ShownKey() {
  const { id = "" } = useParams({ strict: false });
  const path = `/v1/keys/${id}`;
  const read = useQuery({
    queryKey: ["key", id],
    queryFn: ({ signal }) => readPath<KeyRow>(path, {}, signal),
  });
  const { data } = read;
  return (
    <>
      <PageHead
        title={data?.name ?? "Key"}
        beside={
          <>
            {data && <StateBadge state={data.state} />}
            <CopyId id={id} />
          </>
        }
        path={path}
        id={id}
        actions={data && <RevokeKey apiKey={data} kind="danger" />}
      />
      {read.error !== null && <ProblemNote error={read.error} onRetry={() => void read.refetch()} />}
      {read.isLoading && <Skeleton kind="page" />}
      {data && (
        <>
          <ManagedNote managedBy={data.managed_by} what="key" />
          <Panel title="What is known">
            <KeyFacts apiKey={data} />
          </Panel>
        </>
      )}
    </>
  );
}

function KeyFacts({ apiKey }: { apiKey: KeyRow }) {
  const { id, truncated_key, scopes, created_at, last_used_at, expires_at, revoked_at } = apiKey;
  return (
    <Facts
      facts={[
        ["Key", <code key="key">{truncated_key}</code>],
        ["It may", <KeyScopes key="scopes" scopes={scopes} />],
        ["Made", <Moment key="made" at={created_at} />],
        ["Last use", <Ago key="used" at={last_used_at} />],
        ["Expires", <Ago key="expires" at={expires_at} />],
        ["Revoked", revoked_at === null ? undefined : <Moment key="revoked" at={revoked_at} />],
        [
          "What it changed",
          <Link key="changed" to="/audit" search={{ actor: id }}>
            In the audit trail
          </Link>,
        ],
        [
          "Who changed it",
          <Link key="changes" to="/audit" search={{ resource: id }}>
            In the audit trail
          </Link>,
        ],
      ]}
    />
  );
}
