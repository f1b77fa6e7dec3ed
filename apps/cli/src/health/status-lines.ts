// The state of a relay in words, for a terminal. What is as it should be takes one line.

import { plainColumn } from "../resources/columns.ts";
import { type Style, styleOfState } from "../output/style.ts";
import { type Column, type Surface, tableLines } from "../output/table.ts";
import { bytesText, visibleText, widthOf, wrapText } from "../output/text.ts";
import { durationText, localTime } from "../output/times.ts";
import { type RelayState, sumCounts, type SystemAnswer, type UnwellTarget } from "./relay-state.ts";

interface StatusLine {
  label: string;
  text: string;
  style?: Style | undefined;
}

const UNKNOWN = "not known";
/** A commit is known by its beginning. */
const LONG_COMMIT = /^([0-9a-f]{10})[0-9a-f]{30}/;
const STATUS_WORDS: Record<SystemAnswer["status"], { text: string; style: Style }> = {
  ready: { text: "ready", style: "green" },
  degraded: { text: "degraded: it takes events, and something is wrong", style: "yellow" },
  not_ready: { text: "not ready: it takes no events", style: "red" },
  stopping: { text: "stopping", style: "red" },
};

export function statusLines({ system, unwellTargets }: RelayState, nowMs: number, surface: Surface): string[] {
  const lines: StatusLine[] = [
    { label: "status", ...STATUS_WORDS[system.status] },
    describeGateway(system, nowMs),
    describeWorkers(system),
    describePostgres(system),
    ...describeRedis(system),
    describeQueue(system),
    describeWaiting(system),
    describeTargets(system),
    ...describeSetAside(system),
  ];
  const width = Math.max(...lines.map(({ label }) => widthOf(label)));
  return [
    ...lines.flatMap((line) => layOut(line, width, surface)),
    ...problemLines(system.problems, surface),
    ...targetLines(unwellTargets ?? [], surface),
  ];
}

function layOut({ label, text, style }: StatusLine, width: number, { paint, width: columns }: Surface): string[] {
  const room = columns === undefined ? Infinity : columns - width - 2;
  return wrapText(visibleText(text), room).map(
    (part, index) => `${paint("bold", (index === 0 ? label : "").padEnd(width))}  ${paint(style, part)}`,
  );
}

function describeGateway({ gateway, versions }: SystemAnswer, nowMs: number): StatusLine {
  const commit = versions.commit === "unknown" ? "" : ` (${versions.commit.replace(LONG_COMMIT, "$1")})`;
  const upFor = durationText((nowMs - Date.parse(gateway.started_at)) / 1000);
  return { label: "gateway", text: `${gateway.host}, version ${versions.sluice}${commit}, up for ${upFor}` };
}

function describeWorkers({ workers }: SystemAnswer): StatusLine {
  if (workers === 0) return { label: "workers", text: "none runs: nothing is delivered", style: "red" };
  return { label: "workers", text: workers === null ? UNKNOWN : String(workers) };
}

function describePostgres({ stores: { postgres }, versions }: SystemAnswer): StatusLine {
  const { connections, database_bytes: bytes, ok, problem } = postgres;
  const parts = [
    ...(ok ? [] : [problem ?? "it is not well"]),
    ...(versions.postgres === null ? [] : [`version ${versions.postgres}`]),
    ...(connections.used === null ? [] : [`${connections.used} of ${connections.limit} connections`]),
    ...(bytes === null ? [] : [bytesText(bytes)]),
  ];
  return { label: "postgres", text: parts.join(", "), style: ok ? undefined : "red" };
}

function describeRedis({ stores: { redis }, versions }: SystemAnswer): StatusLine[] {
  if (redis === null) return [];
  const parts = [
    ...redis.problems,
    ...(redis.ok ? [] : [redis.takes_jobs ? "it takes the jobs all the same" : "the jobs go to PostgreSQL"]),
    ...(versions.redis === null ? [] : [versions.redis]),
    ...(redis.durable === true ? ["keeps what it confirms"] : []),
    ...(redis.replicas.required ? [`${redis.replicas.seen ?? 0} of ${redis.replicas.required} replicas`] : []),
    ...(redis.used_memory_bytes === null ? [] : [bytesText(redis.used_memory_bytes)]),
  ];
  return [{ label: "redis", text: parts.join(", "), style: redis.ok ? undefined : "yellow" }];
}

function describeQueue({ queue }: SystemAnswer): StatusLine {
  const { takes, backend, waiting_batches: batches } = queue;
  if (takes === null) return { label: "queue", text: "no store takes events", style: "red" };
  const waiting = sumCounts(batches);
  const unknown = Object.entries(batches).flatMap(([store, count]) => (count === null ? [store] : []));
  const parts = [
    `in ${takes === "redis" ? "Redis" : "PostgreSQL"}${takes === backend ? "" : ", because Redis takes no jobs"}`,
    waiting === 0 ? "nothing waits to be stored" : `${waiting} batches of events wait to be stored`,
    ...(unknown.length > 0 ? [`what waits in ${unknown.join(" and ")} is not known`] : []),
  ];
  return { label: "queue", text: parts.join(", "), style: takes === backend ? undefined : "yellow" };
}

function describeWaiting({ deliveries: { waiting, oldest_waiting_seconds: seconds } }: SystemAnswer): StatusLine {
  const label = "deliveries";
  if (waiting === null) return { label, text: UNKNOWN };
  if (waiting === 0) return { label, text: "none waits" };
  const age = seconds === null || seconds < 60 ? "less than a minute" : durationText(seconds);
  return { label, text: `${waiting} ${waiting === 1 ? "waits" : "wait"}, the oldest for ${age}` };
}

function describeTargets({ targets }: SystemAnswer): StatusLine {
  const counts = [
    [targets.enabled, "enabled"],
    [targets.paused, "paused"],
    [targets.disabled, "disabled"],
    [targets.disabled_due_to_failed_deliveries, "disabled because every delivery failed"],
    [targets.breaker_open, "left alone for a while because they fail"],
  ] as const;
  if (targets.enabled === null) return { label: "targets", text: UNKNOWN };
  const parts = counts
    .filter(([count], index) => index === 0 || count !== 0)
    .map(([count, what]) => `${count} ${what}`);
  return { label: "targets", text: parts.join(", ") };
}

function describeSetAside({ queue }: SystemAnswer): StatusLine[] {
  const count = sumCounts(queue.set_aside_events);
  if (count === 0) return [];
  const events = count === 1 ? "1 event" : `${count} events`;
  return [{ label: "set aside", text: `${events} that could not be stored: \`sluice set-aside list\``, style: "red" }];
}

function problemLines(problems: SystemAnswer["problems"], surface: Surface): string[] {
  if (problems.length === 0) return [];
  const columns: Column<SystemAnswer["problems"][number]>[] = [
    { title: "PROCESS", value: ({ app }) => app },
    { title: "CHECK", value: ({ check }) => check },
    {
      title: "SINCE",
      value: ({ since }) => (since === null ? "now" : surface.width === undefined ? since : localTime(since)),
      spare: 1,
    },
    { title: "PROBLEM", value: ({ problem }) => problem, shrinksTo: 20 },
  ];
  return ["", surface.paint("bold", "problems"), ...indentedTable(problems, columns, surface)];
}

function targetLines(targets: readonly UnwellTarget[], surface: Surface): string[] {
  if (targets.length === 0) return [];
  const columns: Column<UnwellTarget>[] = [
    { title: "TARGET", value: ({ name }) => name, shrinksTo: 10 },
    { title: "STATE", value: ({ state }) => state, style: ({ state }) => styleOfState(state), shrinksTo: 8 },
    { title: "BREAKER", value: ({ breaker }) => breaker, style: ({ breaker }) => styleOfState(breaker) },
    { title: "WAITING", value: ({ waiting }) => waiting, isNumber: true },
    { title: "WHY", value: ({ trouble }) => trouble.replaceAll("_", " "), shrinksTo: 8 },
    plainColumn("failing_since", { title: "FAILING SINCE", spare: 1 }),
  ];
  return ["", surface.paint("bold", "targets that are not well"), ...indentedTable(targets, columns, surface)];
}

const indentedTable = <Row>(rows: readonly Row[], columns: readonly Column<Row>[], surface: Surface): string[] =>
  tableLines(rows, columns, { ...surface, width: surface.width && surface.width - 2 }).map((line) => `  ${line}`);
