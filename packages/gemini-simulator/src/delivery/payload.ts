// The payload of an event in Gemini's thin envelope {type, version, timestamp, data}, by the guide's catalogue of events.

import type { SimulatedJob } from "../state/simulated-jobs.ts";

export interface PayloadForm {
  /** `data.id` of a batch and a video: with what stands before the slash, or without. Google does not say. */
  dataId: "name" | "bare";
  /** Where `user_metadata` is. Google says only that it is included. */
  userMetadata: "top" | "data" | "absent";
}

export interface Payload {
  type: string;
  version: "v1";
  timestamp: string;
  data: Record<string, unknown>;
  user_metadata?: Record<string, unknown>;
}

/** @param atMs when the event happened, milliseconds since 1970. */
export function jobPayload(job: SimulatedJob, type: string, atMs: number, form: PayloadForm): Payload {
  const metadata = job.webhooks?.userMetadata;
  const data: Record<string, unknown> = {
    id: form.dataId === "name" ? job.name : job.id,
    ...dataOf(job, type),
    ...(metadata !== undefined && form.userMetadata === "data" && { user_metadata: metadata }),
  };
  return {
    ...payload(type, atMs, data),
    ...(metadata !== undefined && form.userMetadata === "top" && { user_metadata: metadata }),
  };
}

/** A ping. Its payload is not documented. */
export function pingPayload(webhookId: string, type: string, atMs: number): Payload {
  return payload(type, atMs, { id: webhookId });
}

function payload(type: string, atMs: number, data: Record<string, unknown>): Payload {
  return { type, version: "v1", timestamp: new Date(atMs).toISOString().replace(/\.\d{3}Z$/, "Z"), data };
}

function dataOf(job: SimulatedJob, type: string): Record<string, unknown> {
  switch (type) {
    case "batch.succeeded":
    case "batch.completed":
      return job.isInline ? {} : { output_file_uri: `gs://gemini-simulator/${job.id}/results.jsonl` };
    case "batch.failed":
    case "interaction.failed":
      return { error_code: job.error?.code, error_message: job.error?.message };
    case "video.generated":
      return { output_file_uri: videoUri(job), file_name: `files/${job.id}` };
    default:
      return {};
  }
}

export function videoUri({ id }: SimulatedJob): string {
  return `https://generativelanguage.googleapis.com/v1beta/files/${id}:download?alt=media`;
}
