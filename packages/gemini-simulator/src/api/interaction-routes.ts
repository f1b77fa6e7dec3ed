// Interactions. One in the background answers at once and ends later; nothing lists interactions.

import type { SimulatedJob, SimulatedJobs } from "../state/simulated-jobs.ts";
import { type ApiCall, objectBody, stringOf } from "./api-call.ts";
import type { ApiRoute } from "./api-route.ts";
import { GeminiError } from "./google-error.ts";
import { readWebhookConfig } from "./webhook-config.ts";

const FORM = "string_code";

export function interactionRoutes(jobs: SimulatedJobs): ApiRoute[] {
  const find = ({ project, params }: ApiCall): SimulatedJob => {
    const job = jobs.find(params["id"] ?? "", project);
    if (job?.kind !== "interaction" || job.isLost)
      throw new GeminiError(404, `Interaction ${params["id"]} was not found.`, FORM);
    return job;
  };
  return [
    {
      name: "interactions.create",
      method: "POST",
      path: /^interactions$/,
      handle: (call) => {
        const body = objectBody(call);
        const model = stringOf(body["model"]) ?? stringOf(body["agent"]);
        if (model === undefined) throw new GeminiError(400, "model: either a model or an agent is required.", FORM);
        const webhooks = readWebhookConfig(body["webhook_config"], FORM);
        const isInBackground = body["background"] === true;
        if (webhooks !== undefined && !isInBackground)
          throw new GeminiError(400, "webhook_config: the field needs background=true.", FORM);
        const job = jobs.start({ kind: "interaction", project: call.project, model, webhooks });
        // Whoever waits for the answer needs no event.
        jobs.move(job, isInBackground ? { state: "in_progress" } : { state: "completed", event: null });
        return showInteraction(job);
      },
    },
    {
      name: "interactions.get",
      method: "GET",
      path: /^interactions\/(?<id>[^/:]+)$/,
      handle: (call) => showInteraction(find(call)),
    },
    {
      name: "interactions.cancel",
      method: "POST",
      path: /^interactions\/(?<id>[^/:]+)\/cancel$/,
      handle: (call) => {
        const job = find(call);
        if (job.endedAtMs !== undefined)
          throw new GeminiError(400, `Interaction ${job.id} has already ended as ${job.state}.`, FORM);
        jobs.move(job, { state: "cancelled" });
        return showInteraction(job);
      },
    },
    {
      name: "interactions.delete",
      method: "DELETE",
      path: /^interactions\/(?<id>[^/:]+)$/,
      handle: (call) => {
        jobs.delete(find(call));
        return {};
      },
    },
  ];
}

function showInteraction(job: SimulatedJob): object {
  const { webhooks } = job;
  return {
    id: job.id,
    object: "interaction",
    status: job.state,
    model: job.model,
    created: new Date(job.createdAtMs).toISOString(),
    updated: new Date(job.updatedAtMs).toISOString(),
    ...(job.state === "completed" && {
      steps: [{ type: "model_output", content: [{ type: "text", text: "simulated" }] }],
    }),
    ...(webhooks !== undefined && {
      webhook_config: {
        uris: webhooks.uris,
        ...(webhooks.userMetadata !== undefined && { user_metadata: webhooks.userMetadata }),
      },
    }),
  };
}
