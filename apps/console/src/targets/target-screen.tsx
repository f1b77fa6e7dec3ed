// One target: how it is, what it gets, what waits for it, and what can be done about it.

import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";

import type { TargetRow } from "../data/records.ts";
import { readTagged } from "../data/tagged.ts";
import { StateBadge } from "../ui/badge.tsx";
import { CopyId } from "../ui/copy.tsx";
import { Panel } from "../ui/facts.tsx";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { ManagedNote } from "../setup/managed.tsx";
import { RecentDeliveries } from "./recent-deliveries.tsx";
import { LostNote, SecretTable } from "../setup/secrets.tsx";
import { TargetActions } from "./target-actions.tsx";
import { TargetSettingLines, TargetHealthFacts } from "./target-facts.tsx";
import { isChat, KIND_NAMES } from "./target-kinds.ts";

const LOOK_EVERY_MS = 5_000;

export function TargetScreen() {
  const { id = "" } = useParams({ strict: false });
  const path = `/v1/targets/${id}`;
  const read = useQuery({
    queryKey: ["target", id],
    queryFn: ({ signal }) => readTagged<TargetRow>(path, signal),
    refetchInterval: LOOK_EVERY_MS,
  });
  const target = read.data?.value;
  return (
    <>
      <PageHead
        title={target?.name ?? "Target"}
        beside={
          <>
            {target && <StateBadge state={target.state} />}
            {target && <span className="muted">{KIND_NAMES[target.kind]}</span>}
            <CopyId id={id} />
          </>
        }
        path={path}
        id={id}
        actions={read.data && <TargetActions target={read.data} />}
      />
      {read.error !== null && <ProblemNote error={read.error} onRetry={() => void read.refetch()} />}
      {read.isLoading && <Skeleton kind="page" />}
      {target && (
        <>
          <ManagedNote managedBy={target.managed_by} what="target" />
          <LostNote lost={target.lost_secrets} meaning="the target stays paused" />
          <Panel title="How it is">
            <TargetHealthFacts target={target} />
          </Panel>
          <div className="panels">
            <Panel title="What it gets, and how">
              <TargetSettingLines target={target} />
            </Panel>
            <Panel title="Signing secrets">
              <TargetSecrets target={target} />
            </Panel>
          </div>
          <RecentDeliveries target={target} />
        </>
      )}
    </>
  );
}

function TargetSecrets({ target: { kind, signing_secrets } }: { target: TargetRow }) {
  if (isChat(kind)) {
    return <p className="muted">A message of a chat service is not signed: the URL of the webhook is the secret.</p>;
  }
  if (signing_secrets.length === 0) return <p className="muted">None. Rotate the secret to get one.</p>;
  return (
    <>
      <p className="muted">
        Every {kind === "pull" ? "delivery that is pulled" : "request"} is signed with each of these. Your service
        verifies with any of them.
      </p>
      <SecretTable secrets={signing_secrets} />
    </>
  );
}
