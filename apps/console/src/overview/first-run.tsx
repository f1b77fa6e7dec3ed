// What a new relay needs until it works, as a list that ticks itself off. It disappears when all is done.

import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { relay } from "../data/client.ts";
import { Panel } from "../ui/facts.tsx";
import { findDone, type FirstRunState, targetsOfOperator } from "./first-run-state.ts";

const LOOK_EVERY_MS = 5_000;

async function readFirstRun(): Promise<FirstRunState> {
  const [sources, targets] = await Promise.all([relay.get("/v1/sources"), relay.get("/v1/targets")]);
  const newest = await Promise.all(
    sources.data.map(async ({ id }) => {
      const { data } = await relay.get("/v1/events", { params: { query: { source: id, limit: 1 } } });
      return data[0];
    }),
  );
  return {
    sources: sources.data,
    targets: targets.data,
    newestEvents: newest.filter((one) => one !== undefined),
    hasDelivered: await hasDelivery(targetsOfOperator(targets.data)),
  };
}

/** More targets than these are no first steps. */
const MOST_TARGETS = 5;

/** Whether one of the targets took a delivery. The health of a target knows nothing of tests and of pulled deliveries. */
async function hasDelivery(targets: readonly Schemas["Target"][]): Promise<boolean> {
  if (targets.some(({ health }) => health.last_success_at !== null)) return true;
  const found = await Promise.all(
    targets.slice(0, MOST_TARGETS).map(async ({ id: target }) => {
      const query = { target, status: ["succeeded" as const], limit: 1 };
      return (await relay.get("/v1/deliveries", { params: { query } })).data.length > 0;
    }),
  );
  return found.includes(true);
}

export function FirstRun() {
  const { data } = useQuery({
    queryKey: ["first-run"],
    queryFn: readFirstRun,
    refetchInterval: ({ state }) =>
      state.data !== undefined && findDone(state.data).isComplete ? false : LOOK_EVERY_MS,
  });
  if (data === undefined) return null;
  const done = findDone(data);
  if (done.isComplete) return null;
  const source = data.sources.find(({ name }) => name === "gemini") ?? data.sources[0];
  const target = done.ownTargets[0];
  return (
    <Panel title="First steps">
      <ol className="steps">
        <FirstStep isDone={done.hasSecret} title="Give a source its signing secret">
          Gemini shows the secret once, when the webhook is made there. The relay verifies each event with it.{" "}
          <SourceLink source={source} />
        </FirstStep>
        <FirstStep isDone={done.hasTarget} title="Make a target">
          The service that gets the events. <Link to="/targets/new">Make a target</Link>
        </FirstStep>
        <FirstStep isDone={done.hasDelivered} title="Deliver a test">
          Send a signed test to it, and see what it answers.{" "}
          <Link to={target === undefined ? "/targets" : `/targets/${target.id}`}>
            {target === undefined ? "Open the targets" : `Test ${target.name}`}
          </Link>
        </FirstStep>
        <FirstStep isDone={done.hasEvent} title="Receive the first event of Gemini">
          Point the webhook at the address of the source, and finish a job. <SourceLink source={source} />
        </FirstStep>
      </ol>
    </Panel>
  );
}

function SourceLink({ source }: { source: Schemas["Source"] | undefined }) {
  if (source === undefined) return <Link to="/sources">Open the sources</Link>;
  return <Link to={`/sources/${source.id}`}>Open the source {source.name}</Link>;
}

function FirstStep({ isDone, title, children }: { isDone: boolean; title: string; children: ReactNode }) {
  return (
    <li className={isDone ? "step done" : "step"}>
      <span className="step-mark" aria-hidden="true">
        {isDone ? "✓" : ""}
      </span>
      <div>
        <p>
          <strong>{title}</strong>
          {isDone && <span className="muted"> – done</span>}
        </p>
        {!isDone && <p className="muted">{children}</p>}
      </div>
    </li>
  );
}
