// One source: how Gemini reaches it, what proves its webhooks, what was refused, and its jobs.

import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";

import type { SourceRow } from "../data/records.ts";
import { readTagged } from "../data/tagged.ts";
import { RefusalReasons } from "../list/refusal-reasons.tsx";
import { CopyId } from "../ui/copy.tsx";
import { Panel } from "../ui/facts.tsx";
import { formatSeconds } from "../ui/format.ts";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { AddressesPanel } from "./addresses-panel.tsx";
import { ConnectPanel } from "./connect-panel.tsx";
import { ManagedNote } from "../setup/managed.tsx";
import { LostNote, SecretTable } from "../setup/secrets.tsx";
import { SettingLine } from "../setup/setting-lines.tsx";
import { SourceActions } from "./source-actions.tsx";
import { SourceJobs } from "./source-jobs.tsx";
import { SOURCE_OF_API } from "./sources-screen.tsx";
import { UpstreamPanel } from "./upstream-panel.tsx";

const LOOK_EVERY_MS = 10_000;

export function SourceScreen() {
  const { id = "" } = useParams({ strict: false });
  const path = `/v1/sources/${id}`;
  const read = useQuery({
    queryKey: ["source", id],
    queryFn: ({ signal }) => readTagged<SourceRow>(path, signal),
    refetchInterval: LOOK_EVERY_MS,
  });
  const source = read.data?.value;
  return (
    <>
      <PageHead
        title={source?.name ?? "Source"}
        beside={
          <>
            {source && <span className="muted">{source.kind}</span>}
            <CopyId id={id} />
          </>
        }
        path={path}
        id={id}
        actions={read.data && <SourceActions source={read.data} />}
      />
      {read.error !== null && <ProblemNote error={read.error} onRetry={() => void read.refetch()} />}
      {read.isLoading && <Skeleton kind="page" />}
      {source && (
        <>
          <ManagedNote managedBy={source.managed_by} what="source" />
          <LostNote lost={source.lost_secrets} meaning="the source answers that senders should come back" />
          <SourcePanels source={source} />
        </>
      )}
    </>
  );
}

function SourcePanels({ source }: { source: SourceRow }) {
  if (source.name === SOURCE_OF_API) {
    return (
      <Panel title="Events from the API">
        <p>
          Events that you send with <code>POST /v1/events</code> or <code>sluice trigger</code> come from this source. A
          key with the scope “write” is all that they need.
        </p>
      </Panel>
    );
  }
  // Where the relay manages the webhook, nobody has to point Gemini at it.
  const isManaged = source.upstream !== null;
  return (
    <>
      {isManaged && <UpstreamPanel source={source} />}
      <ConnectPanel source={source} />
      {source.kind === "dynamic" && <AddressesPanel source={source} />}
      {source.kind === "static" && !isManaged && <UpstreamPanel source={source} />}
      <div className="panels">
        <Panel title="What proves a webhook">
          <ProofLines source={source} />
        </Panel>
        {source.kind === "static" && (
          <Panel title="Signing secrets">
            {source.signing_secrets.length === 0 ? (
              <p className="muted">
                None, so nothing is accepted yet. Set the secret: bring the one that Gemini showed, or let the relay
                make one.
              </p>
            ) : (
              <SecretTable secrets={source.signing_secrets} />
            )}
          </Panel>
        )}
      </div>
      <RefusalReasons
        title="Refused in the last 7 days"
        search={{ source: source.id, since: "-7d" }}
        none="No request to this source was refused."
      />
      <SourceJobs source={source} />
    </>
  );
}

const listed = (names: readonly string[], none: string) => (names.length === 0 ? none : names.join(", "));

function ProofLines({ source }: { source: SourceRow }) {
  const { kind, schemes, tolerance_seconds, expect_every_seconds, gemini_api_key, reconcile } = source;
  return (
    <dl className="lines">
      <SettingLine name="Schemes">{schemes.join(", ")}</SettingLine>
      <SettingLine name="Tolerance">{formatSeconds(tolerance_seconds)} of the timestamp</SettingLine>
      {kind === "dynamic" && (
        <>
          <SettingLine name="Audiences">{listed(source.audiences, "none: every JWT is refused")}</SettingLine>
          <SettingLine name="Issuers">{listed(source.issuers, "any")}</SettingLine>
          <SettingLine name="Token types">{listed(source.token_types, "any")}</SettingLine>
          {source.max_token_seconds !== null && (
            <SettingLine name="JWT lives">at most {formatSeconds(source.max_token_seconds)}</SettingLine>
          )}
          <SettingLine name="Key set">
            <code>{source.jwks_uri}</code>
          </SettingLine>
          <SettingLine name="Public keys">
            {source.public_keys.length === 0 ? (
              <span className="muted">none of your own, beside the published ones</span>
            ) : (
              source.public_keys.map((key) => (
                <code key={key} className="listed">
                  {key}
                </code>
              ))
            )}
          </SettingLine>
          <SettingLine name="Without body">
            {source.body_unbound === "mark" ? "accepted, and the event is marked" : "refused"}
          </SettingLine>
        </>
      )}
      <SettingLine name="Silence">
        {expect_every_seconds === null
          ? "is not reported"
          : `is reported after ${formatSeconds(expect_every_seconds)} without an event`}
      </SettingLine>
      <SettingLine name="Gemini key">
        {gemini_api_key === null ? (
          <span className="muted">
            none is stored{source.name === "gemini" && "; GEMINI_API_KEY of the gateway stands in, if it is set"}
          </span>
        ) : (
          <code>{gemini_api_key}</code>
        )}
      </SettingLine>
      <SettingLine name="Reconciled">
        {reconcile.enabled
          ? `every ${formatSeconds(reconcile.every_seconds)}; a webhook may be ${formatSeconds(reconcile.grace_seconds)} late`
          : "no: a webhook that does not come is not noticed"}
      </SettingLine>
    </dl>
  );
}
