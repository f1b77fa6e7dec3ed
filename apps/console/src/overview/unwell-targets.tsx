// The targets that somebody should look at: disabled, paused, failing, or with a secret that was lost.

import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import type { TargetRow } from "../data/records.ts";
import { StateBadge } from "../ui/badge.tsx";
import { Panel } from "../ui/facts.tsx";
import { plural } from "../ui/format.ts";
import { ProblemNote } from "../ui/problem.tsx";
import { Ago } from "../ui/time.tsx";
import { useTargets } from "./overview-figures.ts";

const isUnwell = ({ state, health, lost_secrets }: TargetRow) =>
  state !== "enabled" || health.breaker !== "closed" || health.failing_since !== null || lost_secrets.length > 0;

export function UnwellTargets() {
  const targets = useTargets();
  const { data, error } = targets;
  if (error !== null) return <ProblemNote error={error} onRetry={() => void targets.refetch()} />;
  // Without a target, the checklist says what to do.
  if (data === undefined || data.length === 0) return null;
  const unwell = data.filter(isUnwell);
  if (unwell.length === 0) {
    return (
      <p className="muted">
        {data.length === 1 ? "The only target is well." : `All ${plural(data.length, "target")} are well.`}{" "}
        <Link to="/targets">Targets</Link>
      </p>
    );
  }
  return (
    <Panel title={`${plural(unwell.length, "target")} of ${data.length} not well`}>
      <ul className="unwell">
        {unwell.map((target) => (
          <li key={target.id}>
            <Link to={`/targets/${target.id}`}>{target.name}</Link>
            <UnwellBadge target={target} />
            <span className="muted">
              <WhyUnwell target={target} />
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function UnwellBadge({ target: { state, health } }: { target: TargetRow }) {
  if (state !== "enabled") return <StateBadge state={state} />;
  if (health.breaker !== "closed") return <StateBadge state={`breaker ${health.breaker}`} tone="bad" />;
  return <StateBadge state="failing" tone="warn" />;
}

function WhyUnwell({ target }: { target: TargetRow }): ReactNode {
  const { state, state_reason, state_changed_at, health, lost_secrets } = target;
  if (lost_secrets.length > 0) return "a secret of it was lost with the master key: set it anew";
  if (state !== "enabled") {
    return (
      <>
        {state_reason ?? (state === "paused" ? "its deliveries wait" : "it gets nothing")}, since{" "}
        <Ago at={state_changed_at} />
      </>
    );
  }
  return (
    <>
      {health.breaker === "open" && "the relay leaves it alone for a moment; "}
      its attempts began to fail <Ago at={health.failing_since} none="lately" />
    </>
  );
}
