// The attempts of a delivery, newest first. Any two of them can be compared.

import { useState } from "react";

import type { ShownAttempt } from "../data/records.ts";
import { StatusCode } from "../ui/badge.tsx";
import { EmptyNote, Facts } from "../ui/facts.tsx";
import { formatCount, formatMs } from "../ui/format.ts";
import { LongText } from "../ui/json-view.tsx";
import { Moment } from "../ui/time.tsx";
import { AttemptComparison } from "./attempt-comparison.tsx";

/** A delivery of a day has some thirty attempts; one that is retried each second has thousands. */
const FIRST_SHOWN = 20;

const TRIGGERS: Record<ShownAttempt["trigger"], string> = { initial: "first", retry: "retry", manual: "by hand" };

export function AttemptList({ attempts }: { attempts: readonly ShownAttempt[] }) {
  const [chosen, setChosen] = useState<string[]>([]);
  const [shown, setShown] = useState(FIRST_SHOWN);
  if (attempts.length === 0) return <EmptyNote title="No attempt has been made yet." />;
  const newest = attempts.toSorted((one, other) => other.number - one.number);
  const compared = newest.filter(({ id }) => chosen.includes(id));
  const [later, earlier] = compared;
  const choose = (id: string) =>
    setChosen(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen.slice(-1), id]);
  return (
    <div className="stack">
      {attempts.length > 1 && (
        <p className="muted">
          {later && earlier ? "The two that are ticked, side by side:" : "Tick two attempts to compare them."}
        </p>
      )}
      {later && earlier && <AttemptComparison earlier={earlier} later={later} />}
      <div className="attempts" role="list" aria-label="Attempts">
        {newest.slice(0, shown).map((attempt, index) => (
          <div
            key={attempt.id}
            className="attempt"
            role="listitem"
            data-id={attempt.id}
            data-api={`/v1/attempts/${attempt.id}`}
          >
            {attempts.length > 1 && (
              <input
                type="checkbox"
                aria-label={`Compare attempt ${attempt.number}`}
                checked={chosen.includes(attempt.id)}
                onChange={() => choose(attempt.id)}
              />
            )}
            <details open={index === 0}>
              <summary data-row>
                <strong className="attempt-number">#{attempt.number}</strong>
                <StatusCode code={attempt.status_code} error={attempt.error ?? "no answer"} />
                <Moment at={attempt.started_at} isExact />
                <span className="muted">
                  {formatMs(attempt.duration_ms)} · {TRIGGERS[attempt.trigger]}
                </span>
                {attempt.error !== null && <span className="attempt-error">{attempt.error}</span>}
              </summary>
              <AttemptParts attempt={attempt} />
            </details>
          </div>
        ))}
      </div>
      {newest.length > shown && (
        <p>
          <button type="button" onClick={() => setShown(newest.length)}>
            Show all {formatCount(newest.length)} attempts
          </button>
        </p>
      )}
    </div>
  );
}

function AttemptParts({ attempt }: { attempt: ShownAttempt }) {
  return (
    <div className="stack attempt-details">
      <Facts
        facts={[
          ["URL that was called", attempt.url && <code key="url">{attempt.url}</code>, "wide"],
          ["Address", attempt.address && <code key="address">{attempt.address}</code>],
          ["Connected after", attempt.connect_ms === null ? undefined : formatMs(attempt.connect_ms)],
          ["First byte after", attempt.first_byte_ms === null ? undefined : formatMs(attempt.first_byte_ms)],
          ["Error", attempt.error ?? undefined, "wide"],
          ["Trace", attempt.trace_id === null ? undefined : <code key="trace">{attempt.trace_id}</code>, "wide"],
          ["Attempt", <code key="id">{attempt.id}</code>, "wide"],
        ]}
      />
      {attempt.response_excerpt !== null && (
        <section>
          <h3>Beginning of the answer</h3>
          <LongText text={attempt.response_excerpt} label="Beginning of the answer" />
        </section>
      )}
      <div className="panels">
        <HeaderTable title="Headers of the request" headers={attempt.request_headers} />
        <HeaderTable title="Headers of the answer" headers={attempt.response_headers} />
      </div>
    </div>
  );
}

function HeaderTable({ title, headers }: { title: string; headers: Readonly<Record<string, string>> | null }) {
  const entries = Object.entries(headers ?? {});
  if (entries.length === 0) return null;
  return (
    <section>
      <h3>{title}</h3>
      <table className="headers">
        <tbody>
          {entries.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>
              </th>
              <td>
                <code>{value}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
