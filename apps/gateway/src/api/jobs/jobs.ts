// /v1/jobs: the jobs at Gemini whose ends the relay waits for. Batches are found in Gemini's list. Nothing lists interactions
// and videos, so their callers announce them here.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { formatId, parseId } from "@sluice/shared/domain/ids";
import { bareJobId, dataIdsOfJob } from "@sluice/shared/domain/job-ends";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Secret } from "@sluice/shared/settings/secret";
import { getSource, type SourceRecord } from "@sluice/store/configuration/sources";
import type { Database } from "@sluice/store/connection/database";
import { expectJob, getJob, listJobs, lockJob, nameJob } from "@sluice/store/upstream/jobs";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { requireMatch, withEtag } from "../http/etag.ts";
import { invalidRequest } from "../http/invalid-request.ts";
import { pageOf, pageParameters, readPage, toPage } from "../http/list.ts";
import { plainText } from "../http/plain-text.ts";
import { problems } from "../http/problems.ts";
import { anyOfParameter, readSource, sourceParameter } from "../log/filter-parameters.ts";
import { idParameter, jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { labels } from "../sources/event-labels.ts";
import {
  expectedAtMs,
  expectWithin,
  jobKind,
  jobName,
  readJobName,
  requireGeminiKey,
} from "../sources/expected-job.ts";
import { JOB_STATUSES, jobSchema, showJob } from "../sources/job-schema.ts";
import { jobReaderSchema, type JobReadersDependencies, showJobReaders } from "./job-readers.ts";

export interface JobsDependencies extends JobReadersDependencies {
  db: Database;
  geminiApiKey: Secret<string> | undefined;
}

const newJob = z
  .strictObject({
    kind: jobKind,
    name: jobName,
    source: plainText(256)
      .min(1)
      .openapi({ description: "The name or the id of the source by which its webhook comes", example: "gemini" }),
    expect_within_seconds: expectWithin,
    labels: labels.optional().openapi({
      description: "The labels of the event that the relay makes, should the webhook not come",
    }),
  })
  .openapi("NewJob");

const jobChange = z.strictObject({ name: jobName }).openapi("JobChange");

const jobPage = pageOf(jobSchema)
  .extend({
    readers: z.array(jobReaderSchema).openapi({ description: "How the jobs are read at Gemini, for each API key" }),
  })
  .openapi("JobPage");

const tags = ["jobs"];
const params = idParameter("job", "the job");
const endpoints = {
  list: createRoute({
    method: "get",
    path: "/v1/jobs",
    tags,
    summary: "List the jobs at Gemini that the relay knows, newest first",
    description: "A job becomes `seen` some seconds after its event has come. Jobs are kept as long as the log.",
    request: {
      query: z.strictObject({
        ...pageParameters,
        status: anyOfParameter(JOB_STATUSES, "statuses", "The status of the job"),
        kind: jobKind.optional().openapi({ description: "The kind of the job", example: "batch" }),
        source: sourceParameter,
        name: jobName.optional(),
      }),
    },
    responses: { 200: jsonAnswer("A page", jobPage), ...problems("invalid_id"), default: problemResponse },
  }),
  create: createRoute({
    method: "post",
    path: "/v1/jobs",
    tags,
    summary: "Announce a job, so that it is not missed when its webhook does not come",
    description:
      "Once the job should have ended and no webhook has told of it, the relay reads the job at Gemini. Announce batches " +
      "only for another time or for labels: the relay finds them by itself when their source is reconciled.",
    request: { query: noParameters, body: jsonBody(newJob) },
    responses: {
      201: jsonAnswer("The job", jobSchema, "ETag", "Location"),
      200: jsonAnswer("The job, which the relay knew before", jobSchema, "ETag", "Location"),
      ...problems("invalid_id", "gemini_key_missing"),
      default: problemResponse,
    },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/jobs/{id}",
    tags,
    summary: "Read a job",
    description: "The answer has what Gemini said last, and when the relay asks next.",
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The job", jobSchema, "ETag"), default: problemResponse },
  }),
  update: createRoute({
    method: "patch",
    path: "/v1/jobs/{id}",
    tags,
    summary: "Send the name of a job that was announced with its callback URL",
    description: "The URL is made before the job, so the name is known only afterwards. A name cannot be changed.",
    request: { params, query: noParameters, body: jsonBody(jobChange) },
    responses: {
      200: jsonAnswer("The job", jobSchema, "ETag"),
      ...problems("name_taken", "precondition_failed"),
      default: problemResponse,
    },
  }),
};

export function routeJobs(app: OpenAPIHono<ApiEnv>, dependencies: JobsDependencies): void {
  const { db, geminiApiKey } = dependencies;

  app.openapi(endpoints.list, async (c) => {
    const query = c.req.valid("query");
    const filter = {
      statuses: query.status,
      kind: query.kind,
      sourceId: await readSource(db, query.source),
      names: query.name === undefined ? undefined : namesOf(query.name),
    };
    const { page: wanted, cursor } = readPage("jobs", query, filter);
    const page = toPage(await listJobs(db, filter, wanted), query.limit, cursor);
    const readers = await showJobReaders(dependencies);
    return c.json({ data: page.rows.map(showJob), next_cursor: page.nextCursor, readers }, 200);
  });

  app.openapi(endpoints.create, async (c) => {
    const given = c.req.valid("json");
    const name = readJobName(given.kind, given.name, "/name");
    const source = await findJobSource(db, given.source);
    requireGeminiKey(source, geminiApiKey);
    const result = await makeChange(c, db, async (tx, record) => {
      const expected = {
        sourceId: source.id,
        kind: given.kind,
        name,
        labels: given.labels ?? null,
        expectedAtMs: expectedAtMs(given.kind, given.expect_within_seconds),
      };
      const made = await expectJob(tx, expected);
      const [resourceId, after] = [formatId("job", made.job.id), showJob(made.job)];
      if (made.kind === "created") await record({ action: "job.created", resourceId, after });
      if (made.kind === "updated")
        await record({ action: "job.updated", resourceId, before: showJob(made.before), after });
      return made;
    });
    c.header("location", `/v1/jobs/${formatId("job", result.job.id)}`);
    const shown = withEtag(c, showJob(result.job));
    return result.kind === "created" ? c.json(shown, 201) : c.json(shown, 200);
  });

  app.openapi(endpoints.read, async (c) => {
    const job = await getJob(db, readJobId(c.req.valid("param").id));
    if (job === undefined) throw jobNotFound();
    return c.json(withEtag(c, showJob(job)), 200);
  });

  app.openapi(endpoints.update, async (c) => {
    const id = readJobId(c.req.valid("param").id);
    const given = c.req.valid("json");
    const shown = await makeChange(c, db, async (tx, record) => {
      const job = await lockJob(tx, id);
      if (job === undefined) throw jobNotFound();
      const before = showJob(job);
      requireMatch(c, before);
      const name = readJobName(job.kind, given.name, "/name");
      if (job.name === name) return before;
      if (job.name !== null)
        throw invalidRequest([{ pointer: "/name", detail: "cannot be changed: the job has a name" }]);
      const named = await nameJob(tx, job, name);
      if (named.kind === "name_taken") {
        throw new SluiceError("name_taken", `The source already has a job named "${name}"`, {
          faults: [{ pointer: "/name", detail: "is the name of another job" }],
        });
      }
      const after = showJob(named.job);
      await record({ action: "job.updated", resourceId: after.id, before, after });
      return after;
    });
    return c.json(withEtag(c, shown), 200);
  });
}

/** @throws SluiceError `invalid_id`, or `invalid_request` when there is no such source */
async function findJobSource(db: Database, given: string): Promise<SourceRecord> {
  const id = await readSource(db, given, "/source");
  const source = id === undefined ? undefined : await getSource(db, id);
  if (source === undefined) throw invalidRequest([{ pointer: "/source", detail: "is the id of no source" }]);
  return source;
}

/** The names that a caller may mean: `abc` may be a batch or an interaction. */
const namesOf = (given: string) => [...new Set([given, ...dataIdsOfJob("batch", bareJobId(given))])];

const readJobId = (text: string) => parseId("job", text, "{id}");

const jobNotFound = () => new SluiceError("not_found", "There is no job with this id");
