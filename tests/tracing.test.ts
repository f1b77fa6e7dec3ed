// Traces: one event is followed from its receipt to its targets, as a collector sees it; and what targets get where
// nothing is traced.

import { createServer, type Socket } from "node:net";

import { expect, onTestFinished, test, vi } from "vitest";

import { parseId } from "@sluice/shared/domain/ids";

import { startCollector } from "./support/collector.ts";
import { createTestDatabase } from "./support/database.ts";
import { listenOnLoopback } from "./support/listen.ts";
import { startReceiver } from "./support/receiver.ts";
import { createQueueRedis, type Relay, type RelayOptions, startRelay } from "./support/relay.ts";
import { geminiEvent, type SignedWebhook, signWebhook } from "./support/sign.ts";
import { until } from "./support/wait.ts";

const CALLER = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };
const TRACEPARENT = `00-${CALLER.traceId}-${CALLER.spanId}-01`;

/** A relay of its own, which sends its spans soon. */
async function start(settings: Record<string, string>, options: RelayOptions = {}) {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const redis = await createQueueRedis();
  if (redis !== undefined) onTestFinished(redis.drop);
  const relay = await startRelay(database, redis?.url, {
    settings: { OTEL_BSP_SCHEDULE_DELAY: "50", ...settings },
    ...options,
  });
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= relay.stop());
  onTestFinished(stop);
  return { ...relay, stop };
}

async function openReceiver() {
  const receiver = await startReceiver();
  onTestFinished(receiver.stop);
  return receiver;
}

async function openCollector() {
  const collector = await startCollector();
  onTestFinished(collector.stop);
  return collector;
}

/** The exporter reads this by itself. It goes on for so long after the relay has stopped. */
function limitExporter() {
  vi.stubEnv("OTEL_EXPORTER_OTLP_TIMEOUT", "2000");
  onTestFinished(() => void vi.unstubAllEnvs());
}

const inject = async (relay: Relay, headers: Record<string, string>) => {
  const response = await fetch(`${relay.apiUrl}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${relay.apiKey}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ type: "batch.succeeded", data: { id: "batch_1" } }),
  });
  return (await response.json()) as { id: string; webhook_id: string };
};

/** @returns the deliveries of the event when all are as they should be. */
const waitForDeliveries = async (relay: Relay, webhookId: string, count: number, status = "succeeded") => {
  const find = async () => (await relay.call("GET", `/v1/deliveries?webhook_id=${webhookId}`)).data;
  return until(find, {
    accept: (all) => all.length === count && all.every((each: { status: string }) => each.status === status),
    what: `${count} deliveries ${status}`,
  });
};

const withTrace = (signed: SignedWebhook): SignedWebhook => ({
  ...signed,
  headers: { ...signed.headers, traceparent: TRACEPARENT },
});

test("an event is one trace: receipt, intake, and each attempt at two targets, one of which fails first", async () => {
  const collector = await openCollector();
  const relay = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
    OTEL_EXPORTER_OTLP_HEADERS: "api-key=a%20b, x-tenant=7",
  });
  const [steady, failing] = [await openReceiver(), await openReceiver()];
  failing.answerWith((_, index) => ({ status: index === 0 ? 503 : 200 }));
  await relay.createTarget(steady, { name: "steady" });
  const failingTarget = await relay.createTarget(failing, { name: "failing" });
  const signed = withTrace(signWebhook({ secret: relay.secret, body: geminiEvent() }));
  expect((await relay.send(signed)).status).toBe(200);
  const [{ event }] = await waitForDeliveries(relay, signed.webhookId, 2);
  const traceId = parseId("evt", event, "event").replaceAll("-", "");

  const spans = await collector.waitForSpans(5, (span) => span.traceId === traceId);
  const [receipt, ...others] = spans.toSorted((one, other) => (one.startNs < other.startNs ? -1 : 1));
  expect(receipt).toMatchObject({
    name: "POST /in/{source}",
    kind: "SERVER",
    // Made of the event's id, so that every process knows it.
    spanId: traceId.slice(16),
    parentSpanId: "",
    // A sender from outside is linked and not continued.
    links: [CALLER],
    attributes: {
      "http.request.method": "POST",
      "http.response.status_code": 200,
      "sluice.source.name": "gemini",
      "sluice.webhook_id": signed.webhookId,
      "sluice.event.id": event,
    },
    resource: { "service.name": "sluice-gateway", "service.version": expect.any(String) },
  });
  for (const span of others) {
    expect(span).toMatchObject({ parentSpanId: receipt?.spanId, resource: { "service.name": "sluice-worker" } });
    expect(span.endNs).toBeGreaterThanOrEqual(span.startNs);
  }
  const named = (name: string) => others.filter((span) => span.name === name);
  expect(named("intake")).toMatchObject([
    { kind: "CONSUMER", attributes: { "sluice.duplicate": false, "sluice.deliveries": 2 } },
  ]);
  const peer = { "network.peer.address": "127.0.0.1", "network.peer.port": Number(new URL(failing.url).port) };
  const common = { "url.full": failing.url, "sluice.target.id": failingTarget.id, ...peer };
  expect(named("POST failing")).toMatchObject([
    {
      kind: "CLIENT",
      status: { code: "ERROR", message: "The target answered 503" },
      attributes: {
        ...common,
        "http.response.status_code": 503,
        "error.type": "503",
        "sluice.delivery.status": "pending",
      },
    },
    {
      kind: "CLIENT",
      attributes: { ...common, "http.response.status_code": 200, "http.request.resend_count": 1 },
    },
  ]);
  expect(named("POST failing")[1]?.status.code).not.toBe("ERROR");
  expect(named("POST steady")).toMatchObject([{ attributes: { "sluice.delivery.status": "succeeded" } }]);

  // Each target got the context of its attempt's own span, and the log shows it.
  const sent = [...failing.requests, ...steady.requests].map(({ headers }) => headers["traceparent"]);
  const attempts = [...named("POST failing"), ...named("POST steady")];
  expect(sent).toEqual(attempts.map(({ spanId }) => `00-${traceId}-${spanId}-01`));
  const shown = (await relay.call("GET", `/v1/attempts?event=${event}&order=oldest`)).data;
  for (const attempt of shown) expect(attempt.trace_id).toBe(traceId);
  expect(shown.map((each: { request_headers: object }) => each.request_headers)).toEqual(
    expect.arrayContaining(sent.map((traceparent) => expect.objectContaining({ traceparent }))),
  );
  for (const { path, headers } of collector.requests) {
    expect([path, headers["api-key"], headers["x-tenant"]]).toEqual(["/v1/traces", "a b", "7"]);
  }
});

test("POST /v1/events continues the trace of its caller, also in attempts that are made later", async () => {
  const collector = await openCollector();
  const relay = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  const receiver = await openReceiver();
  await relay.createTarget(receiver);
  const event = await inject(relay, { traceparent: TRACEPARENT, tracestate: "rojo=1,congo=2" });
  const [delivery] = await waitForDeliveries(relay, event.webhook_id, 1);
  await relay.call("POST", `/v1/deliveries/${delivery.id}:retry`);
  await receiver.waitFor(2);

  const spans = await collector.waitForSpans(3, (span) => span.traceId === CALLER.traceId);
  const made = spans.find((span) => span.name === "POST /v1/events");
  expect(made).toMatchObject({
    kind: "SERVER",
    parentSpanId: CALLER.spanId,
    attributes: { "sluice.event.id": event.id, "sluice.deliveries": 1, "http.response.status_code": 201 },
  });
  const attempts = spans.filter((span) => span.kind === "CLIENT");
  expect(attempts).toHaveLength(2);
  for (const attempt of attempts)
    expect(attempt).toMatchObject({ parentSpanId: made?.spanId, traceState: "rojo=1,congo=2" });
  expect(receiver.requests.map(({ headers }) => [headers["traceparent"], headers["tracestate"]])).toEqual(
    attempts.map(({ spanId }) => [`00-${CALLER.traceId}-${spanId}-01`, "rojo=1,congo=2"]),
  );
});

test("events that are stored together are linked to one span, which is linked to them; a test of a target is a trace", async () => {
  const collector = await openCollector();
  const relay = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }, { withoutWorker: true });
  const receiver = await openReceiver();
  const target = await relay.createTarget(receiver);
  await Promise.all(Array.from({ length: 40 }, () => relay.sendEvent()));
  const worker = await relay.startWorker();
  onTestFinished(() => worker.stop());
  await receiver.waitFor(40);
  const intakes = await collector.waitForSpans(40, (span) => span.name === "intake");
  const receipts = await collector.waitForSpans(40, (span) => span.name === "POST /in/{source}");
  const [batch] = await collector.waitForSpans(1, (span) => span.name === "intake of a batch");
  const inBatch = intakes.filter(({ links }) => links.some(({ spanId }) => spanId === batch?.spanId));
  expect(batch?.attributes["sluice.batch.events"]).toBe(inBatch.length);
  const linked = batch?.links.map(({ traceId, spanId }) => `${traceId} ${spanId}`).toSorted();
  expect(linked).toEqual(inBatch.map(({ traceId, parentSpanId }) => `${traceId} ${parentSpanId}`).toSorted());
  const known = new Set(receipts.map(({ traceId, spanId }) => `${traceId} ${spanId}`));
  for (const each of linked ?? []) expect(known).toContain(each);

  const { event } = await relay.call("POST", `/v1/targets/${target.id}:test`);
  const traceId = parseId("evt", event, "event").replaceAll("-", "");
  const tested = await collector.waitForSpans(2, (span) => span.traceId === traceId);
  expect(new Map(tested.map(({ name, parentSpanId }) => [name, parentSpanId]))).toEqual(
    new Map([
      ["make sluice.test", ""],
      [`POST ${target.name}`, traceId.slice(16)],
    ]),
  );
});

test("a trace that is not sampled is not sent, and targets are told so", async () => {
  const collector = await openCollector();
  const relay = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0",
  });
  const receiver = await openReceiver();
  await relay.createTarget(receiver);
  const signed = await relay.sendEvent();
  const [{ event }] = await waitForDeliveries(relay, signed.webhookId, 1);
  const traceId = parseId("evt", event, "event").replaceAll("-", "");
  expect(receiver.requests[0]?.headers["traceparent"]).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
  // The caller decides about its own trace.
  const injected = await inject(relay, { traceparent: TRACEPARENT });
  await waitForDeliveries(relay, injected.webhook_id, 1);
  await relay.stop();
  expect(new Set(collector.spans.map((span) => span.traceId))).toEqual(new Set([CALLER.traceId]));
});

test("where nothing is traced, a target gets the trace of the caller as it came, and else none", async () => {
  const relay = await start({});
  const receiver = await openReceiver();
  await relay.createTarget(receiver);
  const signed = withTrace(signWebhook({ secret: relay.secret, body: geminiEvent() }));
  await relay.send(signed);
  const [{ id }] = await waitForDeliveries(relay, signed.webhookId, 1);
  expect((await relay.call("GET", `/v1/deliveries/${id}`)).attempts).toMatchObject([{ trace_id: null }]);
  const event = await inject(relay, { traceparent: TRACEPARENT, tracestate: "rojo=1" });
  const [injected] = await waitForDeliveries(relay, event.webhook_id, 1);
  expect((await relay.call("GET", `/v1/deliveries/${injected.id}`)).attempts).toMatchObject([
    { trace_id: CALLER.traceId, request_headers: { traceparent: TRACEPARENT, tracestate: "rojo=1" } },
  ]);
  const got = receiver.requests.map(({ headers }) => [headers["traceparent"], headers["tracestate"]]);
  expect(got).toEqual([
    [undefined, undefined],
    [TRACEPARENT, "rojo=1"],
  ]);
});

test("a collector that never answers delays no event, and the relay stops", async () => {
  limitExporter();
  const held: Socket[] = [];
  const silent = createServer((socket) => held.push(socket.on("error", () => undefined)));
  const port = await listenOnLoopback(silent);
  onTestFinished(() => {
    silent.close();
    for (const socket of held) socket.destroy();
  });
  const relay = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_BSP_MAX_QUEUE_SIZE: "10" });
  const receiver = await openReceiver();
  await relay.createTarget(receiver);
  for (let sent = 0; sent < 30; sent++) await relay.sendEvent();
  await receiver.waitFor(30);
  // The exporter waits for its answer.
  await until(() => held.length > 0);
  await relay.stop();
  expect(receiver.requests).toHaveLength(30);
  expect(relay.logLines.join("")).not.toContain("did not close in time");
});

test("a collector that is away costs spans, a warning, and no event", async () => {
  limitExporter();
  const relay = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" });
  const receiver = await openReceiver();
  await relay.createTarget(receiver);
  const signed = await relay.sendEvent();
  await waitForDeliveries(relay, signed.webhookId, 1);
  await relay.stop();
});
