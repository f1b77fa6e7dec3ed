// The targets that somebody should look at: disabled, paused, failing, not pulled, or with a secret that was lost.

import type { TargetTrouble, WatchedTarget } from "@sluice/client/target-trouble";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { useWatchedTargets } from "../data/watched-targets.ts";
import { TroubleBadge } from "../ui/badge.tsx";
import { Panel } from "../ui/facts.tsx";
import { formatCount, plural } from "../ui/format.ts";
import { ProblemNote } from "../ui/problem.tsx";
import { Ago } from "../ui/time.tsx";

/** More lines than these push the charts off the page. */
const MOST_SHOWN = 6;

/** What fails comes before what somebody stopped. */
const URGENCY: Record<TargetTrouble, number> = {
  secret_lost: 0,
  breaker_open: 1,
  failing: 2,
  reports_failures: 2,
  not_pulled: 3,
  disabled: 4,
  paused: 5,
};

export function UnwellTargets() {
  const targets = useWatchedTargets();
  const { data, error } = targets;
  if (error !== null) return <ProblemNote error={error} onRetry={() => void targets.refetch()} />;
  // Without a target, the checklist says what to do.
  if (data === undefined || data.length === 0) return null;
  const unwell = data
    .flatMap(({ trouble, ...one }) => (trouble === undefined ? [] : [{ ...one, trouble }]))
    .toSorted((one, other) => URGENCY[one.trouble] - URGENCY[other.trouble]);
  if (unwell.length === 0) {
    return (
      <p className="muted">
        {data.length === 1 ? "The only target is well." : `All ${plural(data.length, "target")} are well.`}{" "}
        <Link to="/targets">Targets</Link>
      </p>
    );
  }
  return (
    <Panel title={`${formatCount(unwell.length)} of ${plural(data.length, "target")} not well`}>
      <ul className="unwell">
        {unwell.slice(0, MOST_SHOWN).map(({ target, trouble, waiting }) => (
          <li key={target.id}>
            <Link to={`/targets/${target.id}`} className="name" title={target.name}>
              {target.name}
            </Link>
            <TroubleBadge trouble={trouble} state={target.state} breaker={target.health.breaker} />
            <span className="muted">
              <WhyUnwell target={target} trouble={trouble} waiting={waiting} />
            </span>
          </li>
        ))}
      </ul>
      {unwell.length > MOST_SHOWN && (
        <p>
          <Link to="/targets">{formatCount(unwell.length - MOST_SHOWN)} more in the list of targets</Link>
        </p>
      )}
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
