// The account of a run of jobs (gemini-run.ts): which of them is not exactly one event at each target.

import type { GeminiSimulator } from "@sluice/gemini-simulator/simulator";

import type { TestDatabase } from "./database.ts";
import type { Receiver } from "./receiver.ts";

/** What was broken; empty when every job is exactly one event at each target, and every other end is told once. */
export interface GeminiRunResult {
  broken: string[];
  account: Record<string, number>;
}

/** One job and what is to become of it. */
export interface PlannedJob {
  job: ReturnType<GeminiSimulator["jobs"]["start"]>;
  /** Undefined for one that does not end. */
  end: string | undefined;
}

/** The ends that have an event. */
const TYPES: Readonly<Record<string, string>> = {
  "batch succeeded": "batch.succeeded",
  "batch failed": "batch.failed",
  "batch expired": "batch.expired",
  "interaction completed": "interaction.completed",
  "interaction failed": "interaction.failed",
  "video generated": "video.generated",
};

/** Compares what became of each job with what the targets got. */
export async function compareWithTargets(
  planned: readonly PlannedJob[],
  receivers: readonly Receiver[],
  { simulator, database: { db }, apiKey }: { simulator: GeminiSimulator; database: TestDatabase; apiKey: string },
): Promise<GeminiRunResult> {
  const broken: string[] = [];
  for (const [index, receiver] of receivers.entries()) {
    const { ends, told, overdue } = readRequests(receiver);
    for (const { job, end } of planned) {
      const type = end === undefined ? undefined : TYPES[`${job.kind} ${end}`];
      const events = [...(ends.get(job.id) ?? [])];
      const wanted = type === undefined ? [] : [type];
      const got = events.map((event) => event.split(" ")[0] ?? "");
      if (JSON.stringify(got) !== JSON.stringify(wanted))
        broken.push(`target ${index}: ${job.name} (${end}) got ${events.join(", ")}`);
      const states = [...(told.get(job.name) ?? [])].map((each) => each.split(" ")[0]);
      const isTold = end !== undefined && type === undefined;
      if (JSON.stringify(states) !== JSON.stringify(isTold ? [end] : []))
        broken.push(`target ${index}: ${job.name} (${end}) was told as ${states.join(", ")}`);
      if ((overdue.get(job.name)?.size ?? 0) > 1)
        broken.push(`target ${index}: ${job.name} was told to be overdue more than once`);
    }
  }
  const { rows } = await db.pool.query<{ status: string; count: number }>(
    "SELECT status, count(*)::int AS count FROM jobs GROUP BY 1",
  );
  const late = await db.pool.query("SELECT FROM rejections WHERE reason = 'reconciled_before'");
  const account: Record<string, number> = {
    jobs: planned.length,
    ...Object.fromEntries(rows.map(({ status, count }) => [status, count])),
    late_duplicates: late.rowCount ?? 0,
    requests_to_gemini: Object.values(simulator.requests.counts()[apiKey] ?? {}).reduce((sum, each) => sum + each, 0),
  };
  for (const { state, fault } of simulator.deliveries.list()) {
    const name = `webhooks_${fault?.kind === "late" && state === "succeeded" ? "late" : state}`;
    account[name] = (account[name] ?? 0) + 1;
  }
  return { broken, account };
}

const add = (map: Map<string, Set<string>>, key: string, value: string) =>
  map.set(key, (map.get(key) ?? new Set()).add(value));

/** What a target got, without repeats: a target dedupes by `webhook-id`, because deliveries are at least once. */
function readRequests({ requests }: Receiver) {
  const [ends, told, overdue] = [
    new Map<string, Set<string>>(),
    new Map<string, Set<string>>(),
    new Map<string, Set<string>>(),
  ];
  for (const { body, headers } of requests) {
    const { type, data } = JSON.parse(body.toString()) as { type: string; data: Record<string, string> };
    const id = String(headers["webhook-id"]);
    if (type === "sluice.job.ended") add(told, data["name"] ?? "", `${data["state"]} ${id}`);
    else if (type === "sluice.job.overdue") add(overdue, data["name"] ?? "", id);
    else if (type !== "interaction.requires_action") add(ends, data["id"] ?? "", `${type} ${id}`);
  }
  return { ends, told, overdue };
}
