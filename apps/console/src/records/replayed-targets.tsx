// What a replay did so far, target by target. The numbers of a target add up to the events that matched.

import { Link } from "@tanstack/react-router";

import { NameLink } from "../data/names.tsx";
import type { OperationRow } from "../data/records.ts";
import { Panel } from "../ui/facts.tsx";
import { formatCount, plural } from "../ui/format.ts";

const COUNTS = [
  ["created", "Sent anew", "The target gets the event for the first time"],
  ["retried", "Sent again", "The target had it, and gets it once more"],
  ["skipped", "Had it", "The target has a delivery of the event, which is left as it is"],
  ["not_matched", "Not matched", "The target’s subscription or filter does not match the event"],
  ["filter_errors", "Filter failed", "The target’s filter failed on the event, so the target does not get it"],
  ["left_out", "Left out", "The body of the event is gone, or the target was disabled or deleted"],
] as const;

export function ReplayedTargets({ replay }: { replay: NonNullable<OperationRow["replay"]> }) {
  const { matched, targets, first_filter_error: first } = replay;
  return (
    <Panel title={`${plural(matched, "event")} matched`}>
      <div className="table-box">
        <table aria-label="What each target got">
          <thead>
            <tr>
              <th scope="col">Target</th>
              {COUNTS.map(([key, label, meaning]) => (
                <th key={key} scope="col" className="number" title={meaning}>
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {targets.map((tally) => (
              <tr key={tally.target}>
                <td>
                  <NameLink kind="targets" id={tally.target} />
                </td>
                {COUNTS.map(([key]) => (
                  <td key={key} className="number">
                    {tally[key] === 0 ? <span className="muted">0</span> : formatCount(tally[key])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {first && (
        <p className="note warn">
          The first filter that failed: {first.target === null ? "the filter of this replay" : "that of "}
          {first.target !== null && <NameLink kind="targets" id={first.target} />}, on{" "}
          <Link to={`/events/${first.event}`}>{first.event}</Link>: {first.error}
        </p>
      )}
    </Panel>
  );
}
