// Videos: a long-running operation that is polled by its name.

import { videoUri } from "../delivery/payload.ts";
import type { SimulatedJob, SimulatedJobs } from "../state/simulated-jobs.ts";
import { objectBody } from "./api-call.ts";
import type { ApiRoute } from "./api-route.ts";
import { GeminiError } from "./google-error.ts";
import { readWebhookConfig } from "./webhook-config.ts";

export function videoRoutes(jobs: SimulatedJobs): ApiRoute[] {
  return [
    {
      name: "videos.create",
      method: "POST",
      path: /^models\/(?<model>[^:]+):predictLongRunning$/,
      handle: (call) => {
        const body = objectBody(call);
        const webhooks = readWebhookConfig(body["webhookConfig"] ?? body["webhook_config"]);
        const job = jobs.start({ kind: "video", project: call.project, model: call.params["model"], webhooks });
        return { name: job.name };
      },
    },
    {
      name: "videos.get",
      method: "GET",
      path: /^(?<name>models\/[^/]+\/operations\/[^/:]+)$/,
      handle: ({ project, params }) => {
        const name = params["name"] ?? "";
        const job = jobs.find(name, project);
        if (job === undefined || job.isLost) throw new GeminiError(404, `Operation ${name} was not found.`);
        return showVideo(job);
      },
    },
  ];
}

function showVideo(job: SimulatedJob): object {
  if (job.endedAtMs === undefined) return { name: job.name };
  if (job.error !== undefined) return { name: job.name, done: true, error: job.error };
  const generatedSamples = [{ video: { uri: videoUri(job) } }];
  return { name: job.name, done: true, response: { generateVideoResponse: { generatedSamples } } };
}
