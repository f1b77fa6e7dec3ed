// Two attempts side by side. What differs is marked.

import type { ShownAttempt } from "../data/records.ts";
import { useTaste } from "../data/taste.ts";
import { relayNow } from "../data/clock.ts";
import { formatMillis, formatMs, formatTime } from "../ui/format.ts";

export function AttemptComparison({ earlier, later }: { earlier: ShownAttempt; later: ShownAttempt }) {
  const { zone } = useTaste();
  const [left, right] = [earlier, later].map((attempt) =>
    linesOf(attempt, (at) => formatTime(at, zone, relayNow()) + formatMillis(at)),
  );
  const names = [...new Set([...Object.keys(left ?? {}), ...Object.keys(right ?? {})])];
  return (
    <div className="table-box">
      <table className="comparison" aria-label="Comparison of two attempts">
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Attempt {earlier.number}</th>
            <th scope="col">Attempt {later.number}</th>
          </tr>
        </thead>
        <tbody>
          {names.map((name) => (
            <tr key={name} className={left?.[name] === right?.[name] ? "" : "differs"}>
              <th scope="row">{name}</th>
              <td>{left?.[name] ?? "–"}</td>
              <td>{right?.[name] ?? "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function linesOf(attempt: ShownAttempt, showTime: (at: string) => string): Record<string, string> {
  const lines: [string, string | null][] = [
    ["Answer", attempt.status_code === null ? null : String(attempt.status_code)],
    ["Error", attempt.error],
    ["Started", showTime(attempt.started_at)],
    ["Duration", formatMs(attempt.duration_ms)],
    ["URL", attempt.url],
    ["Address", attempt.address],
    ["Connected after", attempt.connect_ms === null ? null : formatMs(attempt.connect_ms)],
    ["First byte after", attempt.first_byte_ms === null ? null : formatMs(attempt.first_byte_ms)],
    ["Beginning of the answer", attempt.response_excerpt],
    ...prefixed("sent", attempt.request_headers),
    ...prefixed("answered", attempt.response_headers),
  ];
  return Object.fromEntries(lines.flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
}

const prefixed = (side: string, headers: Readonly<Record<string, string>> | null): [string, string][] =>
  Object.entries(headers ?? {}).map(([name, value]) => [`${side} ${name}`, value]);
