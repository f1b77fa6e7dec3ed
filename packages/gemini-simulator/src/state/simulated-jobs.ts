// Jobs of all kinds: how they start, move and end. Where a move has an event, the event is handed over for delivery.

import type { SimulatorClock } from "../clock.ts";
import type { DeliveryFault } from "../delivery/delivery-faults.ts";
import { Misuse } from "../misuse.ts";
import type { Seeded } from "../seeded.ts";
import { type JobKind, jobStatesOf, stateFactsOf } from "./job-states.ts";

export interface JobWebhooks {
  uris: string[];
  userMetadata?: Record<string, unknown> | undefined;
}

export interface JobStart {
  kind: JobKind;
  /** Which API keys can see the job. */
  project?: string | undefined;
  model?: string | undefined;
  displayName?: string | undefined;
  /** The requests of a batch are in the call, so that it has no output file; false when not given. */
  isInline?: boolean | undefined;
  /** How many requests a batch has; 1 when not given. */
  requestCount?: number | undefined;
  webhooks?: JobWebhooks | undefined;
  /** Whether a batch expires after 48 hours; false for one that is stuck. True when not given. */
  expires?: boolean | undefined;
}

export interface SimulatedJob {
  kind: JobKind;
  /** `batches/…`, an interaction's id, or `models/…/operations/…`. */
  name: string;
  /** The name without what stands before the last slash. */
  id: string;
  project: string;
  model: string;
  displayName: string | undefined;
  isInline: boolean;
  requestCount: number;
  webhooks: JobWebhooks | undefined;
  state: string;
  createdAtMs: number;
  updatedAtMs: number;
  /** Undefined while the job runs. */
  endedAtMs: number | undefined;
  error: JobFailure | undefined;
  /** No list shows the job. Gemini's lists were seen to leave jobs out. */
  isHidden: boolean;
  /** Every call answers 404, as it was seen for interactions in the background. */
  isLost: boolean;
}

interface JobFailure {
  code: number;
  message: string;
}

export interface JobMove {
  state: string;
  error?: JobFailure | undefined;
  /** The event instead of the one that the state has; null for none. */
  event?: string | null | undefined;
  /** What happens to the event on its way; drawn by the rules when not given. */
  fault?: DeliveryFault | undefined;
}

type EmitJobEvent = (job: SimulatedJob, type: string, fault: DeliveryFault | undefined) => void;

/** The project of a job for which none is given. */
export const DEFAULT_PROJECT = "default";
const DEFAULT_MODEL = "simulated";
/** A batch that has not ended by then expires (documentation of the Batch API). */
const BATCH_LIFETIME_MS = 48 * 3_600_000;
const DEFAULT_FAILURE: JobFailure = { code: 13, message: "The job failed" };

export class SimulatedJobs {
  readonly #clock: SimulatorClock;
  readonly #seeded: Seeded;
  readonly #emit: EmitJobEvent;
  readonly #byName = new Map<string, SimulatedJob>();
  /** In the order of their start. A deleted job leaves undefined, so that page tokens keep their meaning. */
  readonly #batches: (SimulatedJob | undefined)[] = [];
  #started = 0;

  constructor(clock: SimulatorClock, seeded: Seeded, emit: EmitJobEvent) {
    this.#clock = clock;
    this.#seeded = seeded;
    this.#emit = emit;
  }

  start(start: JobStart): SimulatedJob {
    const nowMs = this.#clock.nowMs();
    const { kind, model = DEFAULT_MODEL, expires = true } = start;
    this.#started += 1;
    const job: SimulatedJob = {
      ...this.#nameOf(kind, model),
      kind,
      project: start.project ?? DEFAULT_PROJECT,
      model,
      displayName: start.displayName,
      isInline: start.isInline ?? false,
      requestCount: start.requestCount ?? 1,
      webhooks: start.webhooks,
      state: jobStatesOf(kind)[0] ?? "",
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      endedAtMs: undefined,
      error: undefined,
      isHidden: false,
      isLost: false,
    };
    this.#byName.set(job.name, job);
    if (kind === "batch") {
      this.#batches.push(job);
      if (expires) this.#clock.schedule(nowMs + BATCH_LIFETIME_MS, () => this.#expire(job));
    }
    return job;
  }

  /**
   * Moves a job to a state.
   * @throws Misuse for a state that jobs of this kind do not have, and for a job that has ended.
   */
  move(job: SimulatedJob, { state, error, event, fault }: JobMove): void {
    const facts = stateFactsOf(job.kind, state);
    if (facts === undefined) {
      throw new Misuse(`state: a ${job.kind} has no state ${state}, only ${jobStatesOf(job.kind).join(", ")}`);
    }
    if (job.endedAtMs !== undefined) throw new Misuse(`state: ${job.name} has already ended as ${job.state}`);
    const nowMs = this.#clock.nowMs();
    job.state = state;
    job.updatedAtMs = nowMs;
    if (facts.isEnd) job.endedAtMs = nowMs;
    job.error = state === "failed" ? (error ?? DEFAULT_FAILURE) : undefined;
    const type = event === undefined ? facts.event : event;
    if (type !== undefined && type !== null) this.#emit(job, type, fault);
  }

  /** @param project any project when not given. */
  find(name: string, project?: string): SimulatedJob | undefined {
    const job = this.#byName.get(name);
    return project === undefined || job?.project === project ? job : undefined;
  }

  /** @throws Misuse when there is no such job. */
  get(name: string): SimulatedJob {
    const job = this.find(name);
    if (job === undefined) throw new Misuse(`name: there is no job ${name}`);
    return job;
  }

  list(): SimulatedJob[] {
    return [...this.#byName.values()];
  }

  delete(job: SimulatedJob): void {
    this.#byName.delete(job.name);
    const place = this.#batches.indexOf(job);
    if (place !== -1) this.#batches[place] = undefined;
  }

  /**
   * One page of the batches of a project, the newest first.
   * @param before where the page begins: the place of an older page's last batch; undefined for the first page.
   * @returns `next`, undefined when nothing follows.
   */
  pageOfBatches(project: string, size: number, before = this.#batches.length) {
    const page: SimulatedJob[] = [];
    for (let place = Math.min(before, this.#batches.length) - 1; place >= 0; place--) {
      const job = this.#batches[place];
      if (job === undefined || job.project !== project || job.isHidden || job.isLost) continue;
      if (page.length === size) return { page, next: place + 1 };
      page.push(job);
    }
    return { page, next: undefined };
  }

  #expire(job: SimulatedJob): void {
    if (job.endedAtMs === undefined && this.#byName.has(job.name)) this.move(job, { state: "expired" });
  }

  #nameOf(kind: JobKind, model: string): { name: string; id: string } {
    const id = this.#seeded.text(36, kind, this.#started);
    switch (kind) {
      case "batch":
        return { name: `batches/${id}`, id };
      case "interaction":
        return { name: `v1_${id}`, id: `v1_${id}` };
      case "video":
        return { name: `models/${model}/operations/${id.slice(0, 12)}`, id: id.slice(0, 12) };
      default:
        return kind satisfies never;
    }
  }
}
