// The first page: is the relay well, what needs somebody, and how the last hours and days were.

import { Link, useSearch } from "@tanstack/react-router";

import { oneOf, type SearchParams } from "../data/search-params.ts";
import { useSystem } from "../data/system.ts";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { ReadinessNote } from "../ui/readiness.tsx";
import { AttemptChart, EventChart, LatencyChart } from "./activity-charts.tsx";
import { RANGES, readRange } from "./chart-range.ts";
import { FirstRun } from "./first-run.tsx";
import { KeyFigures } from "./key-figures.tsx";
import { UnwellTargets } from "./unwell-targets.tsx";
import { WaitingChart } from "./waiting-chart.tsx";

export function OverviewScreen() {
  const search: SearchParams = useSearch({ strict: false });
  const range = readRange(oneOf(search["range"]));
  const system = useSystem();
  return (
    <>
      <PageHead title="Overview" path="/v1/system" actions={<RangeSwitch current={range.name} search={search} />} />
      {system.error !== null && <ProblemNote error={system.error} onRetry={() => void system.refetch()} />}
      {system.data && <ReadinessNote system={system.data} />}
      <FirstRun />
      <KeyFigures />
      <UnwellTargets />
      <div className="charts">
        <EventChart range={range} />
        <AttemptChart range={range} />
        <LatencyChart range={range} target={oneOf(search["target"])} />
        <WaitingChart range={range} />
      </div>
    </>
  );
}

function RangeSwitch({ current, search }: { current: string; search: SearchParams }) {
  return (
    <nav className="ranges" aria-label="Range of the charts">
      {RANGES.map(({ name, label }) => (
        <Link
          key={name}
          to="/"
          search={{ ...search, range: name }}
          aria-current={name === current ? "true" : undefined}
          activeProps={{}}
          replace
        >
          {label}
        </Link>
      ))}
    </nav>
  );
}
