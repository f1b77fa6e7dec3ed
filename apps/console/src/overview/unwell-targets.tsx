// The targets that somebody should look at: disabled, paused, failing, not pulled, or with a secret that was lost.

import type { TargetTrouble, WatchedTarget } from "@sluice/client/target-trouble";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { useWatchedTargets } from "../data/watched-targets.ts";
import { TroubleBadge } from "../ui/badge.tsx";
import { Panel } from "../ui/facts.tsx";
import { plural } from "../ui/format.ts";
import { ProblemNote } from "../ui/problem.tsx";
import { Ago } from "../ui/time.tsx";

export function UnwellTargets() {
  const targets = useWatchedTargets();
  const { data, error } = targets;
  if (error !== null) return <ProblemNote error={error} onRetry={() => void targets.refetch()} />;
  // Without a target, the checklist says what to do.
  if (data === undefined || data.length === 0) return null;
  const unwell = data.flatMap(({ trouble, ...one }) => (trouble === undefined ? [] : [{ ...one, trouble }]));
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
        {unwell.map(({ target, trouble, waiting }) => (
          <li key={target.id}>
            <Link to={`/targets/${target.id}`}>{target.name}</Link>
            <TroubleBadge trouble={trouble} state={target.state} breaker={target.health.breaker} />
            <span className="muted">
              <WhyUnwell target={target} trouble={trouble} waiting={waiting} />
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

interface WhyProps extends WatchedTarget {
  trouble: TargetTrouble;
}

function WhyUnwell({ target, trouble, waiting }: WhyProps): ReactNode {
  const { state_reason, state_changed_at, health, last_pulled_at } = target;
  switch (trouble) {
    case "secret_lost":
      return "a secret of it was lost with the master key: set it anew";
    case "paused":
    case "disabled":
      return (
        <>
          {state_reason ?? (trouble === "paused" ? "its deliveries wait" : "it gets nothing")}, since{" "}
          <Ago at={state_changed_at} />
        </>
      );
    case "not_pulled":
      return (
        <>
          {waiting === 1 ? "1 delivery waits" : `${plural(waiting, "delivery", "deliveries")} wait`}, and its service
          pulled <Ago at={last_pulled_at} />
        </>
      );
    case "reports_failures":
      return "its service pulls, and reported only failures in the last hour";
    case "breaker_open":
    case "failing":
      return (
        <>
          {health.breaker === "open" && "the relay leaves it alone for a moment; "}
          its attempts began to fail <Ago at={health.failing_since} none="lately" />
        </>
      );
  }
}
