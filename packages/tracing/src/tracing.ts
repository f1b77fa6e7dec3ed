// Traces of events, by OpenTelemetry, which is loaded where a collector is set and nowhere else. An event's trace needs
// no storage: its trace id is the event's id, and its first span has an id that is made of the event's id too. So an
// attempt finds its parent hours later, in another process (docs/decisions/0052).

import type { TraceContext } from "@sluice/shared/domain/trace-context";
import type { Logger } from "@sluice/shared/runtime/log";
import { within } from "@sluice/shared/runtime/within";

import type { TracingConfig } from "./settings.ts";

/** The exporter goes on trying for longer than the stop of a process may take. */
const CLOSE_LIMIT_MS = 1_000;

/** What is undefined is left out. */
export type SpanAttributes = Record<string, string | number | boolean | undefined>;

export type SpanParent =
  /** The span is the first of the event's trace. */
  | { kind: "begins"; eventId: string }
  /** The first span of the event's trace, whichever process made it. */
  | { kind: "event"; eventId: string }
  | { kind: "span"; context: TraceContext }
  | { kind: "none" };

export interface NewSpan {
  name: string;
  kind: "server" | "client" | "consumer";
  parent: SpanParent;
  /** In milliseconds since 1970. */
  startMs: number;
  links?: readonly TraceContext[];
  attributes: SpanAttributes;
}

export interface OpenSpan {
  /** For those who continue the trace. */
  context: TraceContext;
  /** @param error why what the span stands for failed. */
  end: (endMs: number, attributes: SpanAttributes, error?: string) => void;
}

export interface Tracing {
  /** A span that is never ended is never sent. */
  begin: (span: NewSpan) => OpenSpan;
  /** The first span of an event's trace. */
  contextOf: (eventId: string) => TraceContext;
  /** Sends what is left, and waits for a second at most. Never rejects. */
  close: () => Promise<void>;
}

/** @returns undefined when nothing is to be traced; then no module of OpenTelemetry is loaded. */
export async function openTracing(
  config: TracingConfig,
  service: "sluice-gateway" | "sluice-worker",
  log: Logger,
): Promise<Tracing | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: isDisabled } = config;
  if (endpoint === undefined || isDisabled) return undefined;
  const { openOtel } = await import("./otel.ts");
  const tracing = openOtel({ ...config, endpoint, service }, log);
  log.info({ endpoint, sampler: config.OTEL_TRACES_SAMPLER }, "events are traced");
  return {
    ...tracing,
    close: async () => {
      await within(CLOSE_LIMIT_MS, tracing.close());
    },
  };
}
