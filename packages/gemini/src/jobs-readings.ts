// What the SDK's objects say about a job, field by field. Google may leave out any field, so nothing here fails on one that
// is missing.

import { findJobEnd, type JobReading } from "@sluice/shared/domain/job-ends";

/** The fields that are read of a batch of the SDK. */
interface ShownBatch {
  name?: string;
  /** `JOB_STATE_SUCCEEDED`, or Google's own `BATCH_STATE_…` where the SDK knows no name for it. */
  state?: string;
  createTime?: string;
  endTime?: string;
  updateTime?: string;
  dest?: { fileName?: string; gcsUri?: string };
}

/** Undefined for a batch without a name. */
export function readBatchJob(batch: ShownBatch): JobReading | undefined {
  if (batch.name === undefined || batch.name === "") return undefined;
  const state = (batch.state ?? "unspecified").replace(/^(?:JOB|BATCH)_STATE_/, "").toLowerCase();
  const output = batch.dest?.gcsUri ?? batch.dest?.fileName;
  return {
    name: batch.name,
    state,
    startedAtMs: readInstant(batch.createTime),
    endedAtMs: findJobEnd("batch", state) === undefined ? undefined : readInstant(batch.endTime ?? batch.updateTime),
    data: output === undefined ? {} : { output_file_uri: output },
  };
}

interface ShownOperation {
  done?: boolean;
  error?: Record<string, unknown>;
  response?: { generatedVideos?: { video?: { uri?: string } }[] };
}

/** `data` of `batch.failed`. */
export function readBatchFailure({ error }: ShownOperation): Record<string, unknown> {
  return {
    ...(error?.["code"] !== undefined && { error_code: error["code"] }),
    ...(typeof error?.["message"] === "string" && { error_message: error["message"] }),
  };
}

/** An operation has no times. */
export function readVideo(name: string, operation: ShownOperation): JobReading {
  const reading = { name, startedAtMs: undefined, endedAtMs: undefined, data: {} };
  if (operation.done !== true) return { ...reading, state: "running" };
  if (operation.error !== undefined) return { ...reading, state: "failed" };
  const uri = operation.response?.generatedVideos?.[0]?.video?.uri;
  if (uri === undefined) return { ...reading, state: "generated" };
  const file = /\/(files\/[^/:?]+)/.exec(uri)?.[1];
  return {
    ...reading,
    state: "generated",
    data: { output_file_uri: uri, ...(file !== undefined && { file_name: file }) },
  };
}

interface ShownInteraction {
  status?: string | undefined;
  created?: string | undefined;
  updated?: string | undefined;
}

export function readInteraction(name: string, interaction: ShownInteraction): JobReading {
  const state = (interaction.status ?? "unspecified").toLowerCase();
  return {
    name,
    state,
    startedAtMs: readInstant(interaction.created),
    endedAtMs: findJobEnd("interaction", state) === undefined ? undefined : readInstant(interaction.updated),
    data: {},
  };
}

function readInstant(value: string | undefined): number | undefined {
  const ms = value === undefined ? Number.NaN : new Date(value).getTime();
  return Number.isFinite(ms) ? ms : undefined;
}
