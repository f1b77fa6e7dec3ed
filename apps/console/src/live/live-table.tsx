// The rows of the live list. Each is a plain link: hundreds are made each second, and a link of the router costs ten times more.

import { useNavigate, useRouter } from "@tanstack/react-router";
import { memo, type MouseEvent } from "react";

import { nameOfSource, useNames } from "../data/names.tsx";
import { StateBadge, type Tone } from "../ui/badge.tsx";
import { formatMs } from "../ui/format.ts";
import { Clock } from "../ui/time.tsx";
import type { TailRow } from "./tail-row.ts";

const TONES: Record<string, Tone> = {
  received: "quiet",
  "attempt succeeded": "good",
  "attempt failed": "bad",
  retried: "busy",
};

export function LiveTable({ rows }: { rows: readonly TailRow[] }) {
  const navigate = useNavigate();
  const { basepath } = useRouter();
  const targets = useNames("targets");
  const sources = useNames("sources");
  const follow = (event: MouseEvent<HTMLElement>) => {
    const link = (event.target as HTMLElement).closest("a");
    // Other clicks open a tab or a window, as for any link.
    if (link === null || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    void navigate({ to: link.pathname.slice(basepath.length), search: {} });
  };
  return (
    // The links inside are reached and followed by the keyboard; this only keeps the page from loading anew.
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-static-element-interactions
    <div className="table-box live-table" onClick={follow}>
      <table aria-label="Live">
        <thead>
          <tr>
            <th scope="col" className="time">
              Time
            </th>
            <th scope="col" className="what">
              What
            </th>
            <th scope="col" className="type">
              Event type
            </th>
            <th scope="col" className="priority-2">
              Target
            </th>
            <th scope="col" className="priority-2 answer">
              Answer
            </th>
            <th scope="col" className="priority-2 number">
              Took
            </th>
            <th scope="col" className="priority-3">
              Source
            </th>
            <th scope="col" className="priority-3 error">
              Error
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <LiveLine
              key={row.key}
              row={row}
              href={basepath + row.to}
              target={row.target && (targets.get(row.target) ?? row.target)}
              source={row.source && nameOfSource(row.source, sources)}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface LiveLineProps {
  row: TailRow;
  href: string;
  target: string | null;
  source: string | null;
}

const LiveLine = memo(function LiveLine({ row, href, target, source }: LiveLineProps) {
  const { at, kind, what, type, statusCode, error, durationMs, to } = row;
  return (
    <tr data-id={to.split("/")[2]} data-api={`/v1${to}`}>
      <td>
        <a href={href} className="row-link" data-row>
          <Clock at={at} />
        </a>
      </td>
      <td>
        <StateBadge state={what} tone={TONES[what]} />
      </td>
      <td>{type ?? <span className="muted">no type</span>}</td>
      <td className="priority-2">{target ?? <span className="muted">{kind === "event" ? "" : "–"}</span>}</td>
      <td className="priority-2">
        {kind === "attempt" && <code>{statusCode ?? <span className="bad-text">no answer</span>}</code>}
      </td>
      <td className="priority-2 number">{durationMs === null ? "" : formatMs(durationMs)}</td>
      <td className="priority-3">{source ?? "–"}</td>
      <td className="priority-3 error">{error ?? ""}</td>
    </tr>
  );
});
