// The health and the settings of a target in words.

import { Link } from "@tanstack/react-router";

import type { Schemas } from "@sluice/client/client";
import type { TargetTrouble } from "@sluice/client/target-trouble";
import type { ReactNode } from "react";

import type { TargetRow } from "../data/records.ts";
import { useTrouble } from "../data/watched-targets.ts";
import { StateBadge } from "../ui/badge.tsx";
import { Facts } from "../ui/facts.tsx";
import { formatSeconds, plural } from "../ui/format.ts";
import { Ago, Countdown } from "../ui/time.tsx";
import { SettingLine } from "../setup/setting-lines.tsx";
import { WaitingNow } from "./waiting.tsx";

const BREAKERS: Record<Schemas["BreakerState"], string> = {
  closed: "deliveries are sent",
  open: "deliveries wait, because the target failed",
  half_open: "one delivery finds out whether the target works again",
};

const STATES: Record<TargetRow["state"], string> = {
  enabled: "enabled",
  paused: "paused: it gets deliveries, and the relay holds them until you resume it",
  disabled: "disabled: it gets no new deliveries, and what waits is held until you enable it",
  disabled_due_to_failed_deliveries: "disabled by the relay, because every attempt failed for too long",
};

/** A target that pulls has no breaker: what its service does tells how it is. */
const PULL_TROUBLES: Partial<Record<TargetTrouble, ReactNode>> = {
  not_pulled: <span className="bad-text">deliveries wait, and nobody has pulled them for a quarter of an hour</span>,
  reports_failures: <span className="bad-text">every report of the last hour was a failure</span>,
};

export function TargetHealthFacts({ target }: { target: TargetRow }) {
  const { state, state_reason, state_changed_at, health, kind, last_pulled_at } = target;
  const isPull = kind === "pull";
  const trouble = useTrouble(target.id);
  return (
    <Facts
      facts={[
        [
          "State",
          <span key="state">
            {STATES[state]}{" "}
            <span className="muted">
              since <Ago at={state_changed_at} />
            </span>
          </span>,
        ],
        ["Why", state_reason ?? undefined],
        ["Waiting", <WaitingNow key="waiting" target={target.id} />],
        [
          "Breaker",
          isPull ? undefined : (
            <span key="breaker">
              <StateBadge state={health.breaker} /> {BREAKERS[health.breaker]}
            </span>
          ),
        ],
        ["Tried again", health.open_until === null ? undefined : <Countdown key="until" at={health.open_until} />],
        ["Failing since", health.failing_since === null ? undefined : <Ago key="failing" at={health.failing_since} />],
        ["Last success", isPull ? undefined : <Ago key="success" at={health.last_success_at} />],
        ["Last failure", isPull ? undefined : <Ago key="failure" at={health.last_failure_at} />],
        ["Last pull", isPull ? <Ago key="pull" at={last_pulled_at} /> : undefined],
        ["Pulls", isPull && trouble !== undefined ? PULL_TROUBLES[trouble] : undefined],
      ]}
    />
  );
}

export function TargetSettingLines({ target }: { target: TargetRow }) {
  const { uri, kind, subscribed_events, filter, headers, rate_limit, retry, tls, delete_after_idle_seconds } = target;
  const isPull = kind === "pull";
  const names = Object.keys(headers);
  return (
    <dl className="lines">
      {uri !== null && <SettingLine name={kind === "http" ? "URL" : "Host"}>{<code>{uri}</code>}</SettingLine>}
      <SettingLine name="Events">
        <span className="labels">
          {subscribed_events.map((name) => (
            <span key={name} className="label">
              {name}
            </span>
          ))}
        </span>
      </SettingLine>
      <SettingLine name="Filter">
        {filter === null ? <span className="muted">none: every subscribed event</span> : <code>{filter}</code>}
      </SettingLine>
      {!isPull && (
        <SettingLine name="Pace">
          at most {plural(target.max_in_flight, "request")} in flight
          {rate_limit !== null && `, ${rate_limit.requests} in ${formatSeconds(rate_limit.per_seconds)}`}; timeout{" "}
          {formatSeconds(target.timeout_seconds)}
        </SettingLine>
      )}
      <SettingLine name="Retries">
        after {formatSeconds(retry.base_seconds)}, then less and less often, at most {formatSeconds(retry.cap_seconds)}{" "}
        apart; given up after {formatSeconds(retry.horizon_seconds)}
      </SettingLine>
      {kind === "http" && (
        <SettingLine name="Headers">
          {names.length === 0 ? (
            <span className="muted">none of your own</span>
          ) : (
            <>
              {names.map((name) => (
                <code key={name} className="header-name">
                  {name}
                </code>
              ))}{" "}
              <span className="muted">values are never shown</span>
            </>
          )}
        </SettingLine>
      )}
      {tls !== null && <TlsLines tls={tls} />}
      {isPull && (
        <SettingLine name="Deleted">
          {delete_after_idle_seconds === null
            ? "only by hand"
            : `when nobody pulled for ${formatSeconds(delete_after_idle_seconds)}`}
        </SettingLine>
      )}
      {isPull && (
        <SettingLine name="Key">
          Make one for this target alone in <Link to="/keys">Keys</Link>.
        </SettingLine>
      )}
    </dl>
  );
}

function TlsLines({ tls: { ca, server_name, client_certificate } }: { tls: Schemas["Tls"] }) {
  return (
    <>
      {ca.map((certificate) => (
        <SettingLine key={certificate.fingerprint_sha256} name="CA">
          <CertificateLine certificate={certificate} />
        </SettingLine>
      ))}
      {server_name !== null && <SettingLine name="TLS name">{<code>{server_name}</code>}</SettingLine>}
      {client_certificate !== null && (
        <SettingLine name="Client certificate">
          <CertificateLine certificate={client_certificate} />
        </SettingLine>
      )}
    </>
  );
}

function CertificateLine({
  certificate: { subject, expires_at, fingerprint_sha256 },
}: {
  certificate: Schemas["Certificate"];
}) {
  return (
    <span title={fingerprint_sha256}>
      {subject}, expires <Ago at={expires_at} />
    </span>
  );
}
