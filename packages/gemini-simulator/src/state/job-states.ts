// The states of Gemini's jobs, whether a job ends with one, and the event that it has. Several ends have no event.

export type JobKind = "batch" | "interaction" | "video";

interface StateFacts {
  isEnd: boolean;
  /** Undefined where no event of the catalogue exists, or where none can be registered. */
  event?: string;
}

const STATES: Record<JobKind, Readonly<Record<string, StateFacts>>> = {
  batch: {
    pending: { isEnd: false },
    running: { isEnd: false },
    succeeded: { isEnd: true, event: "batch.succeeded" },
    failed: { isEnd: true, event: "batch.failed" },
    expired: { isEnd: true, event: "batch.expired" },
    cancelled: { isEnd: true },
    partially_succeeded: { isEnd: true },
  },
  interaction: {
    queued: { isEnd: false },
    in_progress: { isEnd: false },
    requires_action: { isEnd: false, event: "interaction.requires_action" },
    completed: { isEnd: true, event: "interaction.completed" },
    failed: { isEnd: true, event: "interaction.failed" },
    cancelled: { isEnd: true },
    incomplete: { isEnd: true },
    budget_exceeded: { isEnd: true },
  },
  video: {
    running: { isEnd: false },
    generated: { isEnd: true, event: "video.generated" },
    failed: { isEnd: true },
  },
};

/** Undefined when jobs of this kind have no such state. */
export function stateFactsOf(kind: JobKind, state: string): StateFacts | undefined {
  return STATES[kind][state];
}

export function jobStatesOf(kind: JobKind): string[] {
  return Object.keys(STATES[kind]);
}
