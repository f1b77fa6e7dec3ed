// What only admins see of a gateway: its latest warnings and errors, and its settings. Secrets are never in either.

import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { readPath } from "../data/client.ts";
import { useRefusal } from "../data/session.ts";
import { StateBadge } from "../ui/badge.tsx";
import { Panel } from "../ui/facts.tsx";
import { plural } from "../ui/format.ts";
import { JsonView } from "../ui/json-view.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Moment } from "../ui/time.tsx";

const LOOK_EVERY_MS = 10_000;

export function SystemLog() {
  const refusal = useRefusal("admin");
  const log = useQuery({
    queryKey: ["system-log"],
    queryFn: ({ signal }) => readPath<Schemas["SystemLog"]>("/v1/system/log", {}, signal),
    refetchInterval: LOOK_EVERY_MS,
    enabled: refusal === undefined,
  });
  const lines = log.data?.data.toReversed() ?? [];
  return (
    <Panel title="Latest warnings and errors of this gateway">
      {refusal !== undefined && <p className="muted">{refusal}</p>}
      {log.error !== null && <ProblemNote error={log.error} onRetry={() => void log.refetch()} />}
      {log.data && lines.length === 0 && (
        <p className="muted">None since it started. The log of the process itself has everything.</p>
      )}
      {lines.length > 0 && (
        <div className="attempts log-lines">
          {lines.map((line) => (
            <SystemLogLine key={line.time + line.message + JSON.stringify(line.fields)} line={line} />
          ))}
        </div>
      )}
    </Panel>
  );
}

function SystemLogLine({ line: { time, level, message, fields } }: { line: Schemas["SystemLog"]["data"][number] }) {
  const summary = (
    <>
      <StateBadge state={level} tone={level === "warn" ? "warn" : "bad"} />
      <Moment at={time} />
      <span className="log-message">{message}</span>
    </>
  );
  if (Object.keys(fields).length === 0) return <p className="attempt log-line">{summary}</p>;
  return (
    <details className="attempt">
      <summary>{summary}</summary>
      <div className="attempt-details">
        <JsonView value={fields} label={`Fields of: ${message}`} />
      </div>
    </details>
  );
}

export function SystemSettings() {
  const refusal = useRefusal("admin");
  const [text, setText] = useState("");
  const [isAll, setAll] = useState(false);
  const settings = useQuery({
    queryKey: ["system-settings"],
    queryFn: ({ signal }) => readPath<Schemas["SystemSettings"]>("/v1/system/settings", {}, signal),
    enabled: refusal === undefined,
  });
  const all = settings.data?.data ?? [];
  const shown = all.filter(({ name, is_set }) => (isAll || is_set) && name.includes(text.trim().toUpperCase()));
  return (
    <Panel title="Settings of this gateway">
      {refusal !== undefined && <p className="muted">{refusal}</p>}
      {settings.error !== null && <ProblemNote error={settings.error} onRetry={() => void settings.refetch()} />}
      {settings.data && (
        <>
          <div className="row">
            <input
              className="short"
              aria-label="Name has"
              placeholder="Name has …"
              value={text}
              onChange={({ target }) => setText(target.value)}
            />
            <label>
              <input type="checkbox" checked={isAll} onChange={({ target }) => setAll(target.checked)} /> Also those
              that have their default
            </label>
            <span className="muted">
              {plural(shown.length, "setting")} of {all.length}
            </span>
          </div>
          <SettingTable settings={shown} />
        </>
      )}
    </Panel>
  );
}

function SettingTable({ settings }: { settings: Schemas["SystemSettings"]["data"] }) {
  if (settings.length === 0) return <p className="muted">None matches.</p>;
  return (
    <div className="table-box">
      <table aria-label="Settings">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Value</th>
            <th scope="col" className="priority-2">
              From
            </th>
          </tr>
        </thead>
        <tbody>
          {settings.map(({ name, is_secret, is_set, value }) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>
              </th>
              <td className="grow">
                {is_secret && is_set && <span className="muted">set, never shown</span>}
                {value !== null && <code className="wrapped">{value === "" ? "(empty)" : value}</code>}
                {value === null && !(is_secret && is_set) && <span className="muted">not set</span>}
              </td>
              <td className="priority-2 muted">{is_set ? "the environment" : "default"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
