// The HTTP API: /v1, /v1beta and /metrics for callers with a key, /console, /docs, /cli and /openapi.json for everybody. The OpenAPI
// document is made from the same routes and schemas that serve the requests.

import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";

import { SluiceError } from "@sluice/shared/runtime/errors";

import { type AuditDependencies, routeAudit } from "./access/audit.ts";
import { authenticate } from "./access/authentication.ts";
import { Callers, type CallersDependencies } from "./access/callers.ts";
import { type KeysDependencies, routeKeys } from "./access/keys.ts";
import { OwnSite, type OwnSiteDependencies } from "./access/own-site.ts";
import { Sessions, type SessionsDependencies } from "./access/sessions.ts";
import { type BulkDependencies, routeBulk } from "./acting/bulk.ts";
import { type DeliveryVerbsDependencies, routeDeliveryVerbs } from "./acting/delivery-verbs.ts";
import { routeErasure } from "./acting/erasure.ts";
import { routeInjection } from "./acting/injection.ts";
import { type OperationsDependencies, routeOperations } from "./acting/operations.ts";
import { routeBulkReplay } from "./acting/bulk-replay.ts";
import { routeReplay } from "./acting/replay.ts";
import { routeSetAsideEvents, type SetAsideDependencies } from "./acting/set-aside-events.ts";
import { type ConsoleFilesDependencies, createConsoleFiles } from "./console/console-files.ts";
import { answerStart } from "./console/start.ts";
import { createSignIn, type SignInDependencies } from "./console/sign-in.ts";
import { answerNotFound, answerOtherMethods, answerProblem } from "./http/answer-problem.ts";
import type { ApiEnv } from "./http/api-env.ts";
import { compressAnswers } from "./http/compression.ts";
import { allowOrigins } from "./http/cross-origin.ts";
import { getPath } from "./http/custom-verb.ts";
import { answerNotModified } from "./http/etag.ts";
import { routeConfiguration } from "./configuration/configuration.ts";
import { answerOnce, type IdempotencyDependencies } from "./http/idempotency.ts";
import { refuseInvalid } from "./http/invalid-request.ts";
import { refuseBrokenText } from "./http/refuse-broken-text.ts";
import { refuseEncoded } from "./http/refuse-encoded.ts";
import { logRequests, type RequestLogDependencies } from "./http/request-log.ts";
import { serveCli, type ServedCliDependencies } from "./http/served-cli.ts";
import { answerWellFormed } from "./http/well-formed.ts";
import { type JobsDependencies, routeJobs } from "./jobs/jobs.ts";
import { type AttemptsDependencies, routeAttempts } from "./log/attempts.ts";
import { type DeliveriesDependencies, routeDeliveries } from "./log/deliveries.ts";
import { type EventsDependencies, routeEvents } from "./log/events.ts";
import { type RejectionsDependencies, routeRejections } from "./log/rejections.ts";
import { routeStats, type StatsDependencies } from "./log/stats.ts";
import { routeStatsRejections } from "./log/stats-rejections.ts";
import { routeStatsWaiting } from "./log/stats-waiting.ts";
import { routeTail, type TailDependencies } from "./log/tail.ts";
import { type MetricsDependencies, routeMetrics } from "./metrics.ts";
import { routeAck } from "./pull/ack.ts";
import { routePull } from "./pull/pull.ts";
import { type PullDependencies, PullTargets } from "./pull/pull-endpoint.ts";
import { createDocument } from "./openapi/document.ts";
import { createReference } from "./openapi/reference.ts";
import { routeCallbackUrls } from "./sources/callback-urls.ts";
import { routeIngressTokens } from "./sources/ingress-tokens.ts";
import { routeSecretRotation } from "./sources/secret-rotation.ts";
import type { SourcesDependencies } from "./sources/source-endpoint.ts";
import { routeSourceVerification } from "./sources/source-verification.ts";
import { routeSources } from "./sources/sources.ts";
import { routeSourcesByName } from "./sources/sources-by-name.ts";
import { routeFilterTrial } from "./targets/filter-trial.ts";
import type { TargetsDependencies } from "./targets/target-endpoint.ts";
import { routeSystem, type SystemDependencies } from "./system/system.ts";
import { routeTargetRotation } from "./targets/target-rotation.ts";
import { routeTargetState } from "./targets/target-state.ts";
import { routeTargetTest } from "./targets/target-test.ts";
import { routeTargets } from "./targets/targets.ts";
import { routeTargetsByName } from "./targets/targets-by-name.ts";
import { routeUpstream } from "./upstream/upstream.ts";
import type { UpstreamApiDependencies } from "./upstream/upstream-endpoint.ts";
import { routeUpstreamVerbs } from "./upstream/upstream-verbs.ts";
import { routeWebhooks } from "./webhook-service/webhooks.ts";

/** Room for a target with 50 headers of 4096 ASCII characters each. */
const MAX_BODY_BYTES = 256 * 1024;
/** Room for thousands of targets, or for a captured webhook of 3 MiB in base64. */
const MAX_LARGE_BODY_BYTES = 4 * 1024 * 1024;
const LARGE_BODY_PATH = /^\/v1\/(?:configuration:apply|sources\/[^/]+:verify)$/;

export interface ApiDependencies
  extends
    RequestLogDependencies,
    ServedCliDependencies,
    CallersDependencies,
    OwnSiteDependencies,
    SessionsDependencies,
    SignInDependencies,
    ConsoleFilesDependencies,
    IdempotencyDependencies,
    KeysDependencies,
    AuditDependencies,
    SourcesDependencies,
    UpstreamApiDependencies,
    TargetsDependencies,
    PullDependencies,
    EventsDependencies,
    DeliveriesDependencies,
    DeliveryVerbsDependencies,
    AttemptsDependencies,
    BulkDependencies,
    OperationsDependencies,
    RejectionsDependencies,
    JobsDependencies,
    SetAsideDependencies,
    StatsDependencies,
    TailDependencies,
    SystemDependencies,
    MetricsDependencies {
  /** The origins whose web pages may call the API. */
  corsOrigins: readonly string[];
}

export function createApi(dependencies: ApiDependencies): OpenAPIHono<ApiEnv> {
  const app = new OpenAPIHono<ApiEnv>({ getPath, defaultHook: refuseInvalid });
  app.onError(answerProblem);
  app.notFound(answerNotFound);

  app.use(logRequests(dependencies));
  if (dependencies.corsOrigins.length > 0) app.use(allowOrigins(dependencies.corsOrigins));
  app.use(compressAnswers);
  app.use(answerNotModified);
  app.use(answerWellFormed);
  // The document and the reference stand before authentication: they are the same in every copy of this software, and a
  // browser that opens the reference sends no key.
  let document: ReturnType<typeof createDocument> | undefined;
  app.get("/openapi.json", (c) => c.json((document ??= createDocument(app))));
  app.route("/docs", createReference());
  serveCli(app, dependencies);
  const callers = new Callers(dependencies);
  const site = new OwnSite(dependencies);
  const sessions = new Sessions(dependencies, callers, site);
  app.get("/", answerStart);
  app.route("/console", createSignIn(dependencies, callers, sessions, site));
  app.route("/console", createConsoleFiles(dependencies, site));
  app.use(authenticate(dependencies.db, callers, sessions));
  app.use(refuseEncoded);
  const limits = { common: limitTo(MAX_BODY_BYTES), large: limitTo(MAX_LARGE_BODY_BYTES) };
  app.use((c, next) => limits[LARGE_BODY_PATH.test(new URL(c.req.url).pathname) ? "large" : "common"](c, next));
  app.use(refuseBrokenText);
  app.use(answerOnce(dependencies));

  routeSources(app, dependencies);
  // Before `/v1/sources/{id}/upstream`: a source may be named "upstream".
  routeSourcesByName(app, dependencies);
  routeSecretRotation(app, dependencies);
  routeIngressTokens(app, dependencies);
  routeCallbackUrls(app, dependencies);
  routeSourceVerification(app, dependencies);
  routeUpstream(app, dependencies);
  routeUpstreamVerbs(app, dependencies);
  routeTargets(app, dependencies);
  routeFilterTrial(app, dependencies);
  routeTargetsByName(app, dependencies);
  routeTargetState(app, dependencies);
  routeTargetRotation(app, dependencies);
  routeTargetTest(app, dependencies);
  const pullTargets = new PullTargets(dependencies);
  routePull(app, dependencies, pullTargets);
  routeAck(app, dependencies, pullTargets);
  routeWebhooks(app, dependencies);
  routeEvents(app, dependencies);
  routeInjection(app, dependencies);
  routeReplay(app, dependencies);
  routeBulkReplay(app, dependencies);
  routeErasure(app, dependencies);
  routeDeliveries(app, dependencies);
  routeDeliveryVerbs(app, dependencies);
  routeBulk(app, dependencies);
  routeOperations(app, dependencies);
  routeAttempts(app, dependencies);
  routeRejections(app, dependencies);
  routeJobs(app, dependencies);
  routeKeys(app, dependencies);
  routeAudit(app, dependencies);
  routeSetAsideEvents(app, dependencies);
  routeStats(app, dependencies);
  routeStatsWaiting(app, dependencies);
  routeStatsRejections(app, dependencies);
  routeConfiguration(app, dependencies);
  routeTail(app, dependencies);
  routeSystem(app, dependencies);
  routeMetrics(app, dependencies);

  answerOtherMethods(app);
  return app;
}

function limitTo(maxSize: number) {
  return bodyLimit({
    maxSize,
    onError: () => {
      throw new SluiceError("payload_too_large", `The body must be at most ${maxSize} bytes`);
    },
  });
}
