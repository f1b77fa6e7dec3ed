// Batches as operations: `batchGenerateContent` starts one, and `batches` reads them.

import type { SimulatedJob, SimulatedJobs } from "../state/simulated-jobs.ts";
import {
  type ApiCall,
  isPlainObject,
  objectBody,
  pageSizeOf,
  readPageToken,
  stringOf,
  writePageToken,
} from "./api-call.ts";
import type { ApiRoute } from "./api-route.ts";
import { GeminiError } from "./google-error.ts";
import { readWebhookConfig } from "./webhook-config.ts";

/** Gemini keeps the results of a job for about two days. */
const RESULTS_KEPT_MS = 48 * 3_600_000;

/** @param maxPageSize the most batches of one page, which Google does not document. */
export function batchRoutes(jobs: SimulatedJobs, nowMs: () => number, maxPageSize: number): ApiRoute[] {
  const find = ({ project, params }: ApiCall): SimulatedJob => {
    const name = `batches/${params["id"]}`;
    const job = jobs.find(name, project);
    if (job === undefined || job.isLost) throw new GeminiError(404, `Operation ${name} was not found.`);
    return job;
  };
  return [
    {
      name: "batches.create",
      method: "POST",
      path: /^models\/(?<model>[^:]+):(?:batchGenerateContent|asyncBatchEmbedContent)$/,
      handle: (call) => {
        const batch = objectBody(call)["batch"];
        if (!isPlainObject(batch)) throw new GeminiError(400, "batch: the field is required.");
        const requests = readInlineRequests(batch["inputConfig"] ?? batch["input_config"]);
        const job = jobs.start({
          kind: "batch",
          project: call.project,
          model: call.params["model"],
          displayName: stringOf(batch["displayName"] ?? batch["display_name"]),
          isInline: requests !== undefined,
          requestCount: requests?.length,
          webhooks: readWebhookConfig(batch["webhookConfig"] ?? batch["webhook_config"]),
        });
        return showBatch(job, nowMs());
      },
    },
    {
      name: "batches.list",
      method: "GET",
      path: /^batches$/,
      handle: ({ project, query }) => {
        // Without a size, the live service was seen to answer nothing.
        const size = query.get("pageSize") ?? query.get("page_size");
        if (size === null) return {};
        const before = readPageToken(query.get("pageToken") ?? query.get("page_token"));
        const { page, next } = jobs.pageOfBatches(project, pageSizeOf(size, maxPageSize, maxPageSize), before);
        const time = nowMs();
        return {
          ...(page.length > 0 && { operations: page.map((job) => showBatch(job, time)) }),
          ...(next !== undefined && { nextPageToken: writePageToken(next) }),
        };
      },
    },
    {
      name: "batches.get",
      method: "GET",
      path: /^batches\/(?<id>[^:]+)$/,
      handle: (call) => showBatch(find(call), nowMs()),
    },
    {
      name: "batches.cancel",
      method: "POST",
      path: /^batches\/(?<id>[^:]+):cancel$/,
      handle: (call) => {
        const job = find(call);
        // A job that has ended cannot be cancelled any more, and the call says nothing of it.
        if (job.endedAtMs === undefined) jobs.move(job, { state: "cancelled" });
        return {};
      },
    },
    {
      name: "batches.delete",
      method: "DELETE",
      path: /^batches\/(?<id>[^:]+)$/,
      handle: (call) => {
        jobs.delete(find(call));
        return {};
      },
    },
  ];
}

/** The operation. `done` and what follows from it come with the end of the batch. */
function showBatch(job: SimulatedJob, nowMs: number): object {
  const { endedAtMs, error, requestCount } = job;
  const hasResults =
    endedAtMs !== undefined &&
    nowMs < endedAtMs + RESULTS_KEPT_MS &&
    (job.state === "succeeded" || job.state === "partially_succeeded");
  const output = hasResults ? outputOf(job) : undefined;
  const failed = job.state === "partially_succeeded" ? 1 : 0;
  return {
    name: job.name,
    metadata: {
      "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
      model: `models/${job.model}`,
      ...(job.displayName !== undefined && { displayName: job.displayName }),
      name: job.name,
      state: `BATCH_STATE_${job.state.toUpperCase()}`,
      createTime: new Date(job.createdAtMs).toISOString(),
      updateTime: new Date(job.updatedAtMs).toISOString(),
      ...(endedAtMs !== undefined && { endTime: new Date(endedAtMs).toISOString() }),
      batchStats: {
        requestCount: String(requestCount),
        ...(endedAtMs === undefined
          ? { pendingRequestCount: String(requestCount) }
          : { successfulRequestCount: String(requestCount - failed), failedRequestCount: String(failed) }),
      },
      ...(output !== undefined && { output }),
    },
    ...(endedAtMs !== undefined && { done: true }),
    ...(error !== undefined && { error }),
    ...(output !== undefined && { response: output }),
  };
}

function outputOf({ id, isInline, requestCount }: SimulatedJob): object {
  if (!isInline) return { responsesFile: `files/batch-${id}` };
  const response = { candidates: [{ content: { parts: [{ text: "simulated" }], role: "model" } }] };
  return { inlinedResponses: { inlinedResponses: Array.from({ length: requestCount }, () => ({ response })) } };
}

/** Undefined for a batch whose requests are in a file. */
function readInlineRequests(input: unknown): unknown[] | undefined {
  const requests = isPlainObject(input) ? input["requests"] : undefined;
  const list = isPlainObject(requests) ? requests["requests"] : undefined;
  return Array.isArray(list) ? list : undefined;
}
