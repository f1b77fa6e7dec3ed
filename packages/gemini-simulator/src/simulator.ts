// Starts the simulator and hands out what tests steer it with: the clock, the jobs, the webhooks, the faults and the
// records of what was asked and sent.

import { randomInt } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

import type { ApiRoute } from "./api/api-route.ts";
import { batchRoutes } from "./api/batch-routes.ts";
import { CallFaults } from "./api/call-faults.ts";
import { GeminiApi } from "./api/gemini-api.ts";
import { interactionRoutes } from "./api/interaction-routes.ts";
import { RequestLog } from "./api/request-log.ts";
import { videoRoutes } from "./api/video-routes.ts";
import { webhookServiceRoutes } from "./api/webhook-service.ts";
import { SimulatorClock } from "./clock.ts";
import { CONTROL_PATH, Control } from "./control.ts";
import { DeliveryFaults } from "./delivery/delivery-faults.ts";
import { DynamicKeys, type DynamicScheme } from "./delivery/dynamic-keys.ts";
import { jobPayload, type PayloadForm, pingPayload } from "./delivery/payload.ts";
import { openPoster } from "./delivery/poster.ts";
import { DEFAULT_RETRY_SCHEDULE, type RetrySchedule } from "./delivery/retry-schedule.ts";
import { type DeliverySettings, SimulatedDeliveries } from "./delivery/simulated-deliveries.ts";
import { Seeded } from "./seeded.ts";
import { RegisteredWebhooks } from "./state/registered-webhooks.ts";
import { DEFAULT_PROJECT, SimulatedJobs } from "./state/simulated-jobs.ts";

/** What Gemini's documentation leaves open is a setting. */
export interface SimulatorOptions extends Partial<PayloadForm> {
  /** A free port when not given. */
  port?: number;
  host?: string;
  clock?: SimulatorClock;
  /**
   * All ids and all random choices follow from it, except secrets and the RSA key. A random seed when not given, because
   * a receiver takes the events of a second run with the same seed for duplicates of the first.
   */
  seed?: number;
  /** The valid API keys, with the project of each. When not given, every key is valid, and all share one project. */
  apiKeys?: Record<string, string>;
  /** How dynamic webhooks are signed. */
  scheme?: DynamicScheme;
  retry?: Partial<RetrySchedule>;
  timestamps?: DeliverySettings["timestamps"];
  retryTimestamps?: DeliverySettings["retryTimestamps"];
  /** So many deliveries in a row that failed for 24 hours disable a webhook. */
  disableAfter?: number;
  /** How long a receiver may take, in real time. */
  attemptTimeoutMs?: number;
  /** The most batches on one page. */
  maxBatchPageSize?: number;
  /** The type of the event that a ping sends. */
  pingType?: string;
}

export interface GeminiSimulator {
  /** The base URL for a client, without a slash at its end. */
  url: string;
  /** With it, another simulator repeats this run. */
  seed: number;
  clock: SimulatorClock;
  jobs: SimulatedJobs;
  webhooks: RegisteredWebhooks;
  deliveries: SimulatedDeliveries;
  faults: { calls: CallFaults; deliveries: DeliveryFaults };
  requests: RequestLog;
  stop: () => Promise<void>;
}

const MAX_SEED = 2 ** 32;
const DEFAULT_ATTEMPT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_BATCH_PAGE_SIZE = 100;
/** Connections of clients stay open for longer than any test, so that none is closed while a request is on its way. */
const KEEP_ALIVE_MS = 600_000;

/** @throws Error when the port cannot be opened. */
export async function startGeminiSimulator(options: SimulatorOptions = {}): Promise<GeminiSimulator> {
  const {
    clock = new SimulatorClock(),
    seed = randomInt(MAX_SEED),
    scheme = "v1a",
    apiKeys,
    pingType = "ping",
  } = options;
  const seeded = new Seeded(seed);
  const webhooks = new RegisteredWebhooks(clock, seeded, options.disableAfter ?? 1);
  const faults = { calls: new CallFaults(), deliveries: new DeliveryFaults(seeded) };
  const keys = new DynamicKeys(seeded);
  const poster = openPoster(options.attemptTimeoutMs ?? DEFAULT_ATTEMPT_TIMEOUT_MS);
  const deliveries = new SimulatedDeliveries(
    { clock, seeded, webhooks, faults: faults.deliveries, keys, poster },
    {
      scheme,
      retry: { ...DEFAULT_RETRY_SCHEDULE, ...options.retry },
      timestamps: options.timestamps ?? "real",
      retryTimestamps: options.retryTimestamps ?? "fresh",
    },
  );
  const form: PayloadForm = { dataId: options.dataId ?? "bare", userMetadata: options.userMetadata ?? "top" };
  const jobs = new SimulatedJobs(clock, seeded, (job, type, fault) => {
    const event = { payload: jobPayload(job, type, clock.nowMs(), form), subject: job.name, fault };
    // The addresses of a job replace the registered webhooks.
    if (job.webhooks !== undefined && job.webhooks.uris.length > 0) deliveries.sendToUris(job.webhooks.uris, event);
    else deliveries.sendToRegistered(webhooks.subscribersOf(job.project, type), event);
  });
  const requests = new RequestLog();
  const routes: ApiRoute[] = [
    ...webhookServiceRoutes(webhooks, (webhook) => {
      // A webhook that is not enabled gets nothing, and the caller is not told.
      if (webhook.state !== "enabled") return;
      const payload = pingPayload(webhook.id, pingType, clock.nowMs());
      deliveries.sendToRegistered([webhook], { payload, subject: webhook.id, fault: undefined });
    }),
    ...batchRoutes(jobs, () => clock.nowMs(), options.maxBatchPageSize ?? DEFAULT_MAX_BATCH_PAGE_SIZE),
    ...interactionRoutes(jobs),
    ...videoRoutes(jobs),
  ];
  const projectOf = (apiKey: string) => (apiKeys === undefined ? DEFAULT_PROJECT : apiKeys[apiKey]);
  const keySet = () => keys.keySet(scheme);
  const api = new GeminiApi({ clock, routes, faults: faults.calls, requests, projectOf, keySet });
  const control = new Control({ clock, jobs, webhooks, deliveries, faults, requests });

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    const url = new URL(request.url ?? "/", "http://simulator");
    const take = async () => {
      const body = await text(request);
      if (url.pathname.startsWith(CONTROL_PATH)) await control.answer(request, response, url, body);
      else await api.answer(request, response, url, body);
    };
    take().catch((error: unknown) => {
      // The client went away, or the simulator has a defect, which the client must not take for a scripted failure.
      if (!response.headersSent) response.writeHead(500).end(`A defect of the simulator: ${String(error)}\n`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(options.port ?? 0, options.host ?? "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
  const { address, port, family } = server.address() as AddressInfo;

  const stop = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    poster.stop();
    await clock.stop();
    await closed;
  };
  const url = `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
  return { url, seed, clock, jobs, webhooks, deliveries, faults, requests, stop };
}
