// The filter of a target: examples with one click, and a try on the newest events before it is saved.

import type { Schemas } from "@sluice/client/client";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { relay } from "../data/client.ts";
import { StateBadge, type Tone } from "../ui/badge.tsx";
import { ActionButton } from "../ui/button.tsx";
import { plural } from "../ui/format.ts";
import { faultUnder, ProblemNote } from "../ui/problem.tsx";
import { useSubmission } from "../ui/submit.ts";
import { Ago } from "../ui/time.tsx";
import { FILTER_EXAMPLES } from "./filter-examples.ts";
import { AreaField } from "../setup/form-parts.tsx";

type FilterTrial = Schemas["FilterTrial"];

interface FilterFieldProps {
  filter: string;
  subscribedEvents: readonly string[];
  onText: (text: string) => void;
  /** What saving the form found. */
  saveError: unknown;
}

export function FilterField({ filter, subscribedEvents, onText, saveError }: FilterFieldProps) {
  const [trial, setTrial] = useState<{ filter: string; result: FilterTrial }>();
  // The fault of an earlier save is over when the relay is asked again: its answer is about what the field has now.
  const [settledError, setSettledError] = useState<unknown>();
  const { isBusy, error, submit } = useSubmission(async () => {
    setSettledError(saveError);
    const body = { filter: filter.trim() === "" ? null : filter, subscribed_events: [...subscribedEvents] };
    setTrial({ filter, result: await relay.post("/v1/targets:try-filter", { body }) });
  });
  const triedFault = faultUnder(error, "/filter");
  return (
    <div className="stack tight">
      <AreaField
        label="Filter (optional)"
        hint="A CEL expression: only the events for which it is true are delivered. Without one, all that are subscribed."
        rows={3}
        placeholder={'event.labels.team == "billing"'}
        value={filter}
        onText={onText}
        fault={(saveError === settledError ? undefined : faultUnder(saveError, "/filter")) ?? triedFault}
      />
      <details className="examples">
        <summary>Examples</summary>
        <ul>
          {FILTER_EXAMPLES.map(({ meaning, expression }) => (
            <li key={expression}>
              <button type="button" className="link" onClick={() => onText(expression)}>
                {meaning}
              </button>
              <code>{expression}</code>
            </li>
          ))}
        </ul>
      </details>
      <p className="row">
        <ActionButton needs="write" onClick={submit} isBusy={isBusy}>
          Try on the newest events
        </ActionButton>
        <span className="muted">Nothing is sent or saved.</span>
      </p>
      {error !== undefined && triedFault === undefined && (
        <ProblemNote error={error} onRetry={submit} shownElsewhere={["filter"]} />
      )}
      {trial !== undefined && error === undefined && (
        <TrialResult trial={trial.result} isOld={trial.filter !== filter} />
      )}
    </div>
  );
}

const RESULTS: Record<FilterTrial["data"][number]["result"], [text: string, tone: Tone]> = {
  matched: ["gets it", "good"],
  not_matched: ["filtered out", "quiet"],
  not_subscribed: ["not subscribed", "quiet"],
  failed: ["filter failed", "bad"],
  body_removed: ["body removed", "quiet"],
};

function TrialResult({ trial, isOld }: { trial: FilterTrial; isOld: boolean }) {
  if (trial.data.length === 0) {
    return <p className="note warn">No event has arrived yet, so there is nothing to try the filter on.</p>;
  }
  return (
    <div className={isOld ? "trial old" : "trial"} role="status">
      <p>
        <strong>
          The target would get {trial.matched} of the newest {plural(trial.data.length, "event")}
        </strong>
        {trial.failed > 0 && <span className="bad-text"> · the filter failed on {trial.failed}</span>}
        {isOld && <span className="muted"> · the filter was changed since</span>}
      </p>
      <div className="trial-events">
        <table className="plain" aria-label="Events on which the filter was tried">
          <tbody>
            {trial.data.map(({ event, type, received_at, result, error }) => {
              const [text, tone] = RESULTS[result];
              return (
                <tr key={event}>
                  <td>
                    <StateBadge state={text} tone={tone} />
                  </td>
                  <td>
                    {/* In a tab of its own: the form is not saved yet. */}
                    <Link to={`/events/${event}`} target="_blank">
                      {type ?? "no type"}
                    </Link>
                    {error !== null && <div className="bad-text">{error}</div>}
                  </td>
                  <td>
                    <Ago at={received_at} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </div>
  );
}
