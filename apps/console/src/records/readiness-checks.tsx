// What the gateway's own probe /readyz finds: the answer that load balancers and orchestrators go by.

import { useQuery } from "@tanstack/react-query";

import { StateBadge } from "../ui/badge.tsx";
import { Panel } from "../ui/facts.tsx";
import { ProblemNote } from "../ui/problem.tsx";

interface ReadyAnswer {
  status: string;
  checks: Record<string, { ok: boolean; [detail: string]: unknown }>;
}

/** What each check asks. One of a newer relay has only its name. */
const QUESTIONS: Record<string, string> = {
  postgres: "PostgreSQL answers, and may be written to",
  queue: "A store takes the jobs of new events",
  redis: "Redis takes jobs and keeps them",
  sources: "The gateway knows the sources and their secrets",
};

async function readReadiness(): Promise<ReadyAnswer> {
  const response = await fetch("/readyz");
  return (await response.json()) as ReadyAnswer;
}

export function ReadinessChecks() {
  const readiness = useQuery({ queryKey: ["readyz"], queryFn: readReadiness, refetchInterval: 5_000 });
  const { data, error } = readiness;
  return (
    <Panel title="Readiness" actions={data && <StateBadge state={data.status} />}>
      {error !== null && <ProblemNote error={error} onRetry={() => void readiness.refetch()} />}
      {data && (
        <ul className="checks">
          {Object.entries(data.checks).map(([name, { ok, ...details }]) => (
            <li key={name}>
              <StateBadge state={ok ? "yes" : "no"} tone={ok ? "good" : "bad"} />
              <span>
                {QUESTIONS[name] ?? name}
                {!ok && Object.keys(details).length > 0 && <span className="muted"> · {describeDetails(details)}</span>}
              </span>
            </li>
          ))}
        </ul>
      )}
      <p className="muted">
        Probes ask <a href="/readyz">/readyz</a>, which answers this.
      </p>
    </Panel>
  );
}

const describeDetails = (details: Record<string, unknown>): string =>
  Object.entries(details)
    .map(
      ([name, value]) => `${name.replaceAll("_", " ")}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
    )
    .join(", ");
