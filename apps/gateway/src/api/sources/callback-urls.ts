// POST /v1/sources/{id}/callback-urls: an address for one job, whose events get the labels of the address. The address is not
// stored: it carries the labels itself, signed with a key that is derived from the master key. Only a job that is announced
// with it is stored.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { CALLBACK_KEY_PURPOSE, mintCallbackToken } from "@sluice/signature/callback-token";

import { expectJob } from "@sluice/store/upstream/jobs";
import { JOB_LABEL } from "@sluice/store/upstream/jobs-ends";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { problems } from "../http/problems.ts";
import { idField, jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { labels } from "./event-labels.ts";
import { expectedAtMs, expectWithin, jobKind, requireGeminiKey } from "./expected-job.ts";
import { findSourceOfKind } from "./find-source.ts";
import { showJob } from "./job-schema.ts";
import { showIngressAddress } from "./ingress-address.ts";
import {
  readSourceId,
  sourceParams as params,
  type SourcesDependencies,
  sourceTags as tags,
} from "./source-endpoint.ts";

const MIN_EXPIRY_SECONDS = 60;
const MAX_EXPIRY_SECONDS = 30 * 86_400;
/** A batch may take a day, and Gemini retries its webhook for another day. */
const DEFAULT_EXPIRY_SECONDS = 7 * 86_400;

const announcedJob = z.strictObject({ kind: jobKind, expect_within_seconds: expectWithin }).openapi("AnnouncedJob", {
  description:
    "Announces the job for which the URL is made, as `POST /v1/jobs` does. Its events have the label `sluice_job`, and its " +
    "name can be sent later by `PATCH /v1/jobs/{id}`. It needs `gemini_api_key` of the source.",
});

const newCallbackUrl = z
  .strictObject({
    labels,
    expires_in_seconds: z
      .int()
      .min(MIN_EXPIRY_SECONDS)
      .max(MAX_EXPIRY_SECONDS)
      .default(DEFAULT_EXPIRY_SECONDS)
      .openapi({
        description: "How long the URL takes webhooks. Gemini may send one up to a day after the end of the job.",
      }),
    single_use: z.boolean().default(false).openapi({
      description: "Whether the URL accepts only one webhook: the first that arrives, and its retries",
    }),
    job: announcedJob.optional(),
  })
  .openapi("NewCallbackUrl");

const callbackUrl = z
  .object({
    url: z.string().nullable().openapi({ description: "The whole URL; null if the relay has no `PUBLIC_URL`" }),
    ingress_path: z.string().openapi({ example: "/in/gemini-dynamic/cb_…" }),
    labels: z.record(z.string(), z.string()).openapi({ example: { job: "nightly-embeddings", customer: "42" } }),
    expire_time: z.string().openapi({ format: "date-time" }),
    single_use: z.boolean(),
    job: idField("job")
      .nullable()
      .openapi({ example: null, description: "The id of the job that was announced; null without one" }),
  })
  .openapi("CallbackUrl");

const endpoint = createRoute({
  method: "post",
  path: "/v1/sources/{id}/callback-urls",
  tags,
  summary: "Create a callback URL for one job",
  description:
    "Send the URL as one of the `webhook_config.uris` of the job. The events that come by it get its labels.",
  request: { params, query: noParameters, body: jsonBody(newCallbackUrl) },
  responses: {
    201: jsonAnswer("The URL. It is not stored and cannot be shown again.", callbackUrl),
    ...problems("wrong_kind", "gemini_key_missing"),
    default: problemResponse,
  },
});

export function routeCallbackUrls(app: OpenAPIHono<ApiEnv>, dependencies: SourcesDependencies): void {
  const { db, masterKey, publicUrl, geminiApiKey } = dependencies;
  const key = masterKey.deriveKey(CALLBACK_KEY_PURPOSE);

  app.openapi(endpoint, async (c) => {
    const source = await findSourceOfKind(db, readSourceId(c.req.valid("param").id), "dynamic");
    const given = c.req.valid("json");
    const job = given.job === undefined ? undefined : { ...given.job, id: newId() };
    const jobId = job === undefined ? null : formatId("job", job.id);
    const urlLabels = jobId === null ? given.labels : { ...given.labels, [JOB_LABEL]: jobId };
    if (job !== undefined) {
      requireGeminiKey(source, geminiApiKey);
      await makeChange(c, db, async (tx, record) => {
        const expected = {
          sourceId: source.id,
          kind: job.kind,
          name: null,
          labels: urlLabels,
          expectedAtMs: expectedAtMs(job.kind, job.expect_within_seconds),
        };
        const made = await expectJob(tx, expected, job.id);
        await record({ action: "job.created", resourceId: formatId("job", job.id), after: showJob(made.job) });
      });
    }
    const expiresAtMs = Date.now() + given.expires_in_seconds * 1000;
    const token = mintCallbackToken(key, {
      id: newId(),
      sourceId: source.id,
      labels: urlLabels,
      expiresAtMs,
      singleUse: given.single_use,
    });
    const answer = {
      ...showIngressAddress(publicUrl, `/in/${source.name}/${token}`),
      labels: urlLabels,
      expire_time: new Date(expiresAtMs).toISOString(),
      single_use: given.single_use,
      job: jobId,
    };
    return c.json(answer, 201);
  });
}
