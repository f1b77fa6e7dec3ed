// OpenTelemetry as Sluice uses it: spans that are begun and ended with times of the caller's, sent in batches by OTLP. The
// queue of spans is bounded and nobody waits for the collector. Failure policy: open. A collector that is away costs
// spans and never an event.

import { randomUUID } from "node:crypto";

import {
  type Context,
  createTraceState,
  diag,
  DiagLogLevel,
  type HrTime,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { detectResources, resourceAttributesEnvDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  type IdGenerator,
  ParentBasedSampler,
  RandomIdGenerator,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { TraceContext } from "@sluice/shared/domain/trace-context";
import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import type { Logger } from "@sluice/shared/runtime/log";

import type { TracingConfig } from "./settings.ts";
import type { NewSpan, OpenSpan, SpanAttributes, SpanParent, Tracing } from "./tracing.ts";

export interface OtelOptions extends TracingConfig {
  endpoint: string;
  /** The name of the process where the environment has none. */
  service: string;
}

const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, consumer: SpanKind.CONSUMER };

export function openOtel(options: OtelOptions, log: Logger): Tracing {
  const { endpoint, service } = options;
  // Warnings only: of failed exports and dropped spans. They name the collector and hold no header.
  const warn = (message: string) => log.warn({ problem: message }, "tracing");
  diag.setLogger(
    { error: warn, warn, info: () => {}, debug: () => {}, verbose: () => {} },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  // Later ones win: what the environment says over what is usual here, and OTEL_SERVICE_NAME over all.
  const usual = { "service.name": service, "service.version": SLUICE_VERSION, "service.instance.id": randomUUID() };
  const named = options.OTEL_SERVICE_NAME === undefined ? {} : { "service.name": options.OTEL_SERVICE_NAME };
  const resource = resourceFromAttributes(usual)
    .merge(detectResources({ detectors: [resourceAttributesEnvDetector] }))
    .merge(resourceFromAttributes(named));
  const ids = new EventIds();
  const rootSampler = rootSamplerOf(options);
  const provider = new TracerProvider({
    resource,
    idGenerator: ids,
    sampler: options.OTEL_TRACES_SAMPLER.startsWith("parentbased_")
      ? new ParentBasedSampler({ root: rootSampler })
      : rootSampler,
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({
          url: `${endpoint.replace(/\/+$/, "")}/v1/traces`,
          headers: options.OTEL_EXPORTER_OTLP_HEADERS?.reveal() ?? {},
        }),
        scheduledDelayMillis: options.OTEL_BSP_SCHEDULE_DELAY,
        maxQueueSize: options.OTEL_BSP_MAX_QUEUE_SIZE,
        maxExportBatchSize: options.OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
      }),
    ],
  });
  const tracer = provider.getTracer("sluice", SLUICE_VERSION);

  /** Every process decides the same about an event, because the decision follows from its id. */
  const contextOf = (eventId: string): TraceContext => {
    const traceId = eventId.replaceAll("-", "");
    const { decision } = rootSampler.shouldSample(ROOT_CONTEXT, traceId, "", SpanKind.SERVER, {}, []);
    const isSampled = decision === SamplingDecision.RECORD_AND_SAMPLED;
    return { traceId, spanId: traceId.slice(16), isSampled, state: null };
  };

  const parentContext = (parent: SpanParent): Context => {
    if (parent.kind === "begins" || parent.kind === "none") return ROOT_CONTEXT;
    const context = parent.kind === "span" ? parent.context : contextOf(parent.eventId);
    return trace.setSpanContext(ROOT_CONTEXT, toSpanContext(context));
  };

  const begin = ({ name, kind, parent, startMs, links = [], attributes }: NewSpan): OpenSpan => {
    const settings = {
      kind: KINDS[kind],
      startTime: toTime(startMs),
      attributes: withoutUndefined(attributes),
      links: links.map((context): Link => ({ context: toSpanContext(context) })),
    };
    const start = () => tracer.startSpan(name, settings, parentContext(parent));
    const span = parent.kind === "begins" ? ids.during(contextOf(parent.eventId), start) : start();
    return {
      context: toTraceContext(span.spanContext()),
      end: (endMs, more, error) => {
        span.setAttributes(withoutUndefined(more));
        if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
        // A clock that was set back between start and end.
        span.end(toTime(Math.max(startMs, endMs)));
      },
    };
  };

  return { begin, contextOf, close: () => provider.shutdown().catch((error: unknown) => warn(String(error))) };
}

/** Random ids, except for the span that begins the trace of an event. */
class EventIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #given: Pick<TraceContext, "traceId" | "spanId"> | undefined;

  /** The span that `start` makes has these ids. */
  during<T>(given: Pick<TraceContext, "traceId" | "spanId">, start: () => T): T {
    this.#given = given;
    try {
      return start();
    } finally {
      this.#given = undefined;
    }
  }

  generateTraceId(): string {
    return this.#given?.traceId ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.#given?.spanId ?? this.#random.generateSpanId();
  }
}

function rootSamplerOf({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio }: TracingConfig): Sampler {
  switch (name) {
    case "always_off":
    case "parentbased_always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
    case "parentbased_traceidratio":
      return new TraceIdRatioBasedSampler(ratio);
    case "always_on":
    case "parentbased_always_on":
      return new AlwaysOnSampler();
  }
}

function toSpanContext({ traceId, spanId, isSampled, state }: TraceContext): SpanContext {
  return {
    traceId,
    spanId,
    traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    ...(state !== null && { traceState: createTraceState(state) }),
  };
}

function toTraceContext({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext {
  const isSampled = (traceFlags & TraceFlags.SAMPLED) !== 0;
  return { traceId, spanId, isSampled, state: traceState?.serialize() || null };
}

/** OpenTelemetry would take a small number for a time since the start of the process. */
function toTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}

function withoutUndefined(attributes: SpanAttributes): Record<string, string | number | boolean> {
  const given: Record<string, string | number | boolean> = {};
  for (const name in attributes) {
    const value = attributes[name];
    if (value !== undefined) given[name] = value;
  }
  return given;
}
