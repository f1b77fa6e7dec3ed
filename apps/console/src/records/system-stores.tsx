// PostgreSQL and Redis as the gateway sees them: what is wrong, and how much of their limits is in use.

import type { SystemState } from "../data/system.ts";
import { StateBadge } from "../ui/badge.tsx";
import { Facts, Panel } from "../ui/facts.tsx";
import { formatBytes, formatCount } from "../ui/format.ts";

export function PostgresPanel({ postgres }: { postgres: SystemState["stores"]["postgres"] }) {
  const { ok, problem, connections, pools, database_bytes } = postgres;
  return (
    <Panel title="PostgreSQL" actions={<WellBadge isWell={ok} />}>
      {problem !== null && <p className="note bad">{problem}</p>}
      <Facts
        facts={[
          ["Connections of all clients", <InUse key="connections" {...connections} />],
          ["Database", database_bytes === null ? null : formatBytes(database_bytes)],
        ]}
      />
      <table className="plain" aria-label="Connections of this gateway">
        <thead>
          <tr>
            <th scope="col">Pool of this gateway</th>
            <th scope="col" className="number">
              Busy
            </th>
            <th scope="col" className="number">
              Idle
            </th>
            <th scope="col" className="number">
              Limit
            </th>
            <th scope="col" className="number">
              Waiting
            </th>
          </tr>
        </thead>
        <tbody>
          {pools.map(({ name, busy, idle, limit, waiting }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td className="number">{busy}</td>
              <td className="number">{idle}</td>
              <td className="number">{limit}</td>
              <td className={waiting > 0 ? "number bad-text" : "number"}>{waiting}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

export function RedisPanel({ redis }: { redis: NonNullable<SystemState["stores"]["redis"]> }) {
  const { ok, problems, takes_jobs, durable, append_only, last_write_ok, replicas, connections } = redis;
  const { used_memory_bytes: used, max_memory_bytes: limit } = redis;
  return (
    <Panel title="Redis" actions={<WellBadge isWell={ok} />}>
      {problems.map((problem) => (
        <p key={problem} className="note bad">
          {problem}
        </p>
      ))}
      <Facts
        facts={[
          ["Takes jobs", takes_jobs ? "yes" : "no: they go to PostgreSQL"],
          ["Keeps what it confirms", yesOrNo(durable)],
          ["Append-only file", yesOrNo(append_only)],
          ["Last write to it", last_write_ok === null ? undefined : last_write_ok ? "succeeded" : "failed"],
          [
            "Replicas",
            replicas.required === 0 ? "none required" : `${replicas.seen ?? "?"} of ${replicas.required ?? "?"}`,
          ],
          ["Connections of all clients", <InUse key="connections" {...connections} />],
          [
            "Memory",
            used === null ? null : limit === null ? formatBytes(used) : `${formatBytes(used)} of ${formatBytes(limit)}`,
          ],
        ]}
      />
    </Panel>
  );
}

const yesOrNo = (value: boolean | null) => (value === null ? null : value ? "yes" : "no");

function WellBadge({ isWell }: { isWell: boolean }) {
  return <StateBadge state={isWell ? "well" : "not well"} tone={isWell ? "good" : "bad"} />;
}

function InUse({ used, limit }: { used: number | null; limit: number | null }) {
  if (used === null) return <span className="muted">–</span>;
  if (limit === null) return formatCount(used);
  return (
    <span className="progress-line">
      <progress max={limit} value={used}>
        {used} of {limit}
      </progress>
      <span>
        {formatCount(used)} of {formatCount(limit)}
      </span>
    </span>
  );
}
