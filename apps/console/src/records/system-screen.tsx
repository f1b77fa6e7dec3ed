// How the relay is: readiness, stores, queue, workers, versions, retention, clocks; and for admins its settings and its log.

import { Link } from "@tanstack/react-router";

import { type SystemState, useSystem } from "../data/system.ts";
import { Facts, Panel } from "../ui/facts.tsx";
import { formatCount, formatDuration, plural } from "../ui/format.ts";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { ReadinessNote } from "../ui/readiness.tsx";
import { Ago, Moment } from "../ui/time.tsx";
import { ReadinessChecks } from "./readiness-checks.tsx";
import { SystemLog, SystemSettings } from "./system-admin.tsx";
import { PostgresPanel, RedisPanel } from "./system-stores.tsx";

export function SystemScreen() {
  const system = useSystem();
  const { data } = system;
  return (
    <>
      <PageHead title="System" path="/v1/system" />
      {system.error !== null && <ProblemNote error={system.error} onRetry={() => void system.refetch()} />}
      {system.isLoading && <Skeleton kind="page" />}
      {data && (
        <>
          <ReadinessNote system={data} />
          <div className="panels">
            <WorkPanel system={data} />
            <ReadinessChecks />
            <PostgresPanel postgres={data.stores.postgres} />
            {data.stores.redis !== null && <RedisPanel redis={data.stores.redis} />}
          </div>
          <VersionPanel system={data} />
          <div className="panels">
            <RetentionPanel retention={data.retention} />
            <ClockPanel clock={data.clock} />
          </div>
          <SystemLog />
          <SystemSettings />
        </>
      )}
    </>
  );
}

const STORE_NAMES = { postgres: "PostgreSQL", redis: "Redis" };

function WorkPanel({ system: { queue, workers, deliveries, targets } }: { system: SystemState }) {
  const notWell = (targets.disabled_due_to_failed_deliveries ?? 0) + (targets.breaker_open ?? 0);
  const otherTargets = [
    [targets.paused ?? 0, "paused"],
    [targets.disabled ?? 0, "disabled"],
    [notWell, "failing"],
  ].filter(([count]) => count !== 0) as [number, string][];
  return (
    <Panel title="Work">
      <Facts
        facts={[
          ["Workers", workers === 0 ? <strong className="bad-text">none</strong> : (workers ?? undefined)],
          ["Events go to", queue.takes === null ? "no store" : STORE_NAMES[queue.takes]],
          ["Batches to be stored", <ByStore key="batches" counts={queue.waiting_batches} />],
          [
            "Events set aside",
            <Link key="aside" to="/set-aside">
              <ByStore counts={queue.set_aside_events} />
            </Link>,
          ],
          [
            "Deliveries waiting",
            deliveries.waiting === null ? null : (
              <Link key="waiting" to="/deliveries" search={{ status: "pending" }}>
                {formatCount(deliveries.waiting)}
              </Link>
            ),
          ],
          [
            "Oldest of them",
            deliveries.oldest_waiting_seconds === null || deliveries.waiting === 0
              ? undefined
              : formatDuration(deliveries.oldest_waiting_seconds * 1_000),
          ],
          [
            "Targets",
            <Link key="targets" to="/targets">
              {targets.enabled ?? "–"} enabled
              {otherTargets.map(([count, word]) => `, ${formatCount(count)} ${word}`)}
            </Link>,
          ],
        ]}
      />
    </Panel>
  );
}

/** One number, or one for each store where there are two. */
function ByStore({ counts }: { counts: SystemState["queue"]["waiting_batches"] }) {
  const entries = Object.entries(counts) as [keyof typeof STORE_NAMES, number | null][];
  const [only] = entries;
  if (entries.length === 1 && only !== undefined) return only[1] === null ? "not known" : formatCount(only[1]);
  return entries
    .map(([store, count]) => `${count === null ? "?" : formatCount(count)} in ${STORE_NAMES[store]}`)
    .join(", ");
}

function VersionPanel({ system: { versions, gateway } }: { system: SystemState }) {
  return (
    <Panel title="Versions">
      <Facts
        facts={[
          ["Sluice", versions.sluice],
          ["Commit", <code key="commit">{versions.commit.slice(0, 12)}</code>],
          ["Schema", versions.schema && <code key="schema">{versions.schema}</code>],
          ["Node.js", versions.node],
          ["PostgreSQL", versions.postgres],
          ["Redis", versions.redis ?? undefined],
          ["Gateway", gateway.host],
          ["It started", <Ago key="started" at={gateway.started_at} />],
          [
            "Public address",
            gateway.public_url ?? (
              <span key="url" className="muted">
                not set (PUBLIC_URL)
              </span>
            ),
          ],
        ]}
      />
    </Panel>
  );
}

const days = (count: number | null) => (count === null ? null : plural(count, "day"));

function RetentionPanel({ retention }: { retention: SystemState["retention"] }) {
  const { log_days, body_days, audit_days, overdue_days, held_days } = retention;
  return (
    <Panel title="Retention">
      <Facts
        facts={[
          ["Log", days(log_days)],
          ["Bodies of events", body_days === null ? "as long as the log" : days(body_days)],
          ["Audit trail", days(audit_days)],
          ["Overdue", overdue_days ? `${plural(overdue_days, "day")} that a transaction holds` : undefined],
          ["Kept longer than asked", held_days ? days(held_days) : undefined],
        ]}
      />
    </Panel>
  );
}

/** Signatures are refused when the clock is off by minutes; half a second is the first sign. */
const NOTABLE_MS = 500;

function ClockPanel({ clock }: { clock: SystemState["clock"] }) {
  const { ahead_ms, precision_ms, gateway, postgres } = clock;
  const isOff = ahead_ms !== null && Math.abs(ahead_ms) > NOTABLE_MS + (precision_ms ?? 0);
  return (
    <Panel title="Clocks">
      <Facts
        facts={[
          ["Gateway", <Moment key="gateway" at={gateway} />],
          ["PostgreSQL", <Moment key="postgres" at={postgres} none="cannot be asked" />],
          [
            "Difference",
            ahead_ms === null ? null : `${Math.round(ahead_ms)} ms (± ${Math.round(precision_ms ?? 0)} ms)`,
          ],
        ]}
      />
      {isOff && (
        <p className="note warn">
          The two clocks differ. The gateway judges signatures by its own, and PostgreSQL decides what is due.
          Synchronise both machines with NTP.
        </p>
      )}
    </Panel>
  );
}
