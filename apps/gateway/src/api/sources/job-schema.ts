// How the API shows a job of Gemini that the relay knows.

import { z } from "@hono/zod-openapi";

import { formatId, idTime } from "@sluice/shared/domain/ids";
import type { JobStatus } from "@sluice/store/schema";
import type { JobRecord } from "@sluice/store/upstream/jobs";

import { idField } from "../openapi/endpoint.ts";
import { jobKind } from "./expected-job.ts";

export const JOB_STATUSES = ["waiting", "seen", "reconciled", "overdue", "failed"] as const satisfies JobStatus[];

export const jobSchema = z
  .object({
    id: idField("job"),
    kind: jobKind,
    name: z
      .string()
      .nullable()
      .openapi({ example: "batches/abc123", description: "Null for a job whose name the relay does not know yet" }),
    source: idField("src"),
    status: z.enum(JOB_STATUSES).openapi("JobStatus", {
      description:
        "waiting: its end is waited for. seen: a webhook told of its end. reconciled: no webhook came, and the relay made " +
        "its event, or told of an end that has no event. overdue: it runs for longer than expected. failed: Gemini does " +
        "not know it any more.",
    }),
    state: z
      .string()
      .nullable()
      .openapi({ description: "What Gemini said last; null before the relay asked", example: "succeeded" }),
    labels: z.record(z.string(), z.string()).openapi({ example: {} }),
    expected_at: z.string().openapi({ format: "date-time" }),
    ended_at: z.string().nullable().openapi({ format: "date-time" }),
    event: idField("evt")
      .nullable()
      .openapi({ description: "The event that told of the end; null while there is none", example: null }),
    problem: z.string().nullable().openapi({ description: "Why the last look at the job failed", example: null }),
    checked_at: z.string().nullable().openapi({ format: "date-time" }),
    next_check_at: z.string().nullable().openapi({ format: "date-time" }),
    created_at: z.string().openapi({ format: "date-time", description: "When the relay got to know the job" }),
  })
  .openapi("Job");

export function showJob(job: JobRecord): z.infer<typeof jobSchema> {
  return {
    id: formatId("job", job.id),
    kind: job.kind,
    name: job.name,
    source: formatId("src", job.sourceId),
    status: job.status,
    state: job.state,
    labels: job.labels ?? {},
    expected_at: job.expectedAt.toISOString(),
    ended_at: job.endedAt?.toISOString() ?? null,
    event: job.eventId === null ? null : formatId("evt", job.eventId),
    problem: job.problem,
    checked_at: job.checkedAt?.toISOString() ?? null,
    next_check_at: job.nextCheckAt?.toISOString() ?? null,
    created_at: new Date(idTime(job.id)).toISOString(),
  };
}
