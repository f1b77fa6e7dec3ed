// How the jobs of Gemini end, and which event tells of each end. Several ends have no event: Gemini's registration takes
// seven types, and nobody knows whether another one is ever sent.

export const GEMINI_JOB_KINDS = ["batch", "interaction", "video"] as const;

export type GeminiJobKind = (typeof GEMINI_JOB_KINDS)[number];

/** The end states of each kind, with the type of the event that Gemini sends; null where it sends none. */
const ENDS: Record<GeminiJobKind, Readonly<Record<string, string | null>>> = {
  batch: {
    succeeded: "batch.succeeded",
    failed: "batch.failed",
    expired: "batch.expired",
    cancelled: null,
    partially_succeeded: null,
  },
  // `requires_action` is no end: the interaction goes on when it gets its answer.
  interaction: {
    completed: "interaction.completed",
    failed: "interaction.failed",
    cancelled: null,
    incomplete: null,
    budget_exceeded: null,
  },
  video: { generated: "video.generated", failed: null },
};

/** Types of the older documentation and of the guide: who sends one of them tells of an end too. */
const OTHER_TYPES: Readonly<Record<string, string>> = {
  "batch.completed": "batch.succeeded",
  "batch.cancelled": "batch.cancelled",
  "interaction.cancelled": "interaction.cancelled",
};

/** The one name of each type that tells of an end. */
const NAME_OF_TYPE: ReadonlyMap<string, string> = new Map([
  ...Object.values(ENDS).flatMap((ends) =>
    Object.values(ends).flatMap((type): [string, string][] => (type === null ? [] : [[type, type]])),
  ),
  ...Object.entries(OTHER_TYPES),
]);

/** An end of a job as an event tells of it. */
export interface JobEnd {
  /** The last part of the job's name: payloads were seen with the whole name and with this part alone. */
  jobId: string;
  /** `batch.completed` is `batch.succeeded` here. */
  type: string;
}

/** What Gemini says about a job, in the words of Sluice. Times are milliseconds since 1970; undefined when Gemini says none. */
export interface JobReading {
  name: string;
  /** In small letters and without a prefix: `succeeded`, `in_progress`. */
  state: string;
  startedAtMs: number | undefined;
  /** Set when the job has ended. */
  endedAtMs: number | undefined;
  /** What the event of the end has in `data`, beside the id. */
  data: Record<string, unknown>;
}

/** Whether a state is an end, and the type of its event; undefined for a state in which the job goes on. */
export function findJobEnd(kind: GeminiJobKind, state: string): { type: string | null } | undefined {
  const type = Object.hasOwn(ENDS[kind], state) ? ENDS[kind][state] : undefined;
  return type === undefined ? undefined : { type };
}

/**
 * The end that an event tells of; null for an event about anything else.
 * @param dataId `data.id` of the payload.
 */
export function readJobEnd(type: string | null, dataId: string | null): JobEnd | null {
  const name = type === null ? undefined : NAME_OF_TYPE.get(type);
  const jobId = dataId === null ? "" : bareJobId(dataId);
  return name === undefined || jobId === "" ? null : { jobId, type: name };
}

/** The names of the types that tell of the ends of a kind, aliases included. */
export function typesOfEnds(kind: GeminiJobKind): string[] {
  return [...NAME_OF_TYPE.keys()].filter((type) => type.startsWith(`${kind}.`));
}

/** The last part of a name such as `batches/abc` or `models/veo/operations/abc`. */
export function bareJobId(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** What `data.id` of an event about a job may be. */
export function dataIdsOfJob(kind: GeminiJobKind, name: string): string[] {
  const bare = bareJobId(name);
  const prefix = { batch: "batches", interaction: "interactions", video: "operations" }[kind];
  return [...new Set([bare, `${prefix}/${bare}`, name])];
}
