// The addresses that a job names for its events, instead of the registered webhooks.

import type { JobWebhooks } from "../state/simulated-jobs.ts";
import { isPlainObject } from "./api-call.ts";
import { type ErrorForm, GeminiError } from "./google-error.ts";

/**
 * Reads `webhook_config` in the spelling of interactions, or of batches and videos.
 * @returns undefined when the job names nothing.
 * @throws GeminiError 400
 */
export function readWebhookConfig(config: unknown, form: ErrorForm = "google"): JobWebhooks | undefined {
  if (config === undefined) return undefined;
  if (!isPlainObject(config)) throw new GeminiError(400, "webhook_config: the value must be an object.", form);
  const uris = config["uris"] ?? [];
  const metadata = config["user_metadata"] ?? config["userMetadata"];
  if (!Array.isArray(uris) || !uris.every(isWebUri))
    throw new GeminiError(400, "webhook_config.uris: the values must be absolute URIs.", form);
  return { uris, userMetadata: isPlainObject(metadata) ? metadata : undefined };
}

/** The live service wants `https`. The simulator also takes `http`, because its receivers are on the same machine. */
export function isWebUri(uri: unknown): uri is string {
  return typeof uri === "string" && URL.canParse(uri) && /^https?:$/.test(new URL(uri).protocol);
}
