// A collector of traces: takes OTLP over HTTP, as https://opentelemetry.io/docs/specs/otlp/ has it, and decodes it by
// protobuf.js and the schema of github.com/open-telemetry/opentelemetry-proto, of which the names below are.

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";

import protobuf from "protobufjs";

import { listenOnLoopback } from "./listen.ts";
import { until } from "./wait.ts";

const SCHEMA = `
syntax = "proto3";
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message InstrumentationScope { string name = 1; string version = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; fixed32 flags = 16;
  string name = 5; SpanKind kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9; uint32 dropped_attributes_count = 10; repeated Link links = 13;
  uint32 dropped_links_count = 14; Status status = 15;
}
message Link { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4; }
message Status { string message = 2; StatusCode code = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
enum SpanKind { UNSPECIFIED = 0; INTERNAL = 1; SERVER = 2; CLIENT = 3; PRODUCER = 4; CONSUMER = 5; }
enum StatusCode { UNSET = 0; OK = 1; ERROR = 2; }
`;
const Request = protobuf.parse(SCHEMA, { keepCase: false }).root.lookupType("ExportTraceServiceRequest");

interface SentLink {
  traceId: string;
  spanId: string;
}

interface SentSpan extends SentLink {
  name: string;
  kind: string;
  /** Empty for the first span of a trace. */
  parentSpanId: string;
  traceState: string;
  startNs: bigint;
  endNs: bigint;
  attributes: Record<string, unknown>;
  links: SentLink[];
  status: { code?: string; message?: string };
  /** Of the process that sent it. */
  resource: Record<string, unknown>;
}

export interface Collector {
  url: string;
  spans: readonly SentSpan[];
  /** The path and the headers of each request. */
  requests: readonly { path: string; headers: IncomingHttpHeaders }[];
  /** Waits until so many spans that match have come. */
  waitForSpans: (count: number, matches: (span: SentSpan) => boolean) => Promise<SentSpan[]>;
  stop: () => Promise<void>;
}

export async function startCollector(): Promise<Collector> {
  const spans: SentSpan[] = [];
  const requests: { path: string; headers: IncomingHttpHeaders }[] = [];
  const take = async (incoming: IncomingMessage, response: ServerResponse) => {
    spans.push(...decodeSpans(await buffer(incoming)));
    requests.push({ path: incoming.url ?? "", headers: incoming.headers });
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  };
  const server = createServer((incoming, response) => void take(incoming, response));
  const port = await listenOnLoopback(server);
  const waitForSpans = async (count: number, matches: (span: SentSpan) => boolean) => {
    await until(() => spans.filter(matches).length >= count, { what: `${count} spans`, timeoutMs: 60_000 });
    return spans.filter(matches);
  };
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${port}`, spans, requests, waitForSpans, stop };
}

interface Pair {
  key: string;
  value: Record<string, unknown>;
}

function decodeSpans(body: Buffer): SentSpan[] {
  const options = { enums: String, longs: String, bytes: Array, arrays: true } as const;
  const { resourceSpans } = Request.toObject(Request.decode(body), options);
  return resourceSpans.flatMap(({ resource, scopeSpans }: { resource: { attributes: Pair[] }; scopeSpans: [] }) =>
    scopeSpans.flatMap(({ spans }: { spans: [] }) =>
      // oxlint-disable-next-line typescript/no-explicit-any -- what the schema above says.
      spans.map((span: any): SentSpan => ({
        name: span.name,
        kind: span.kind,
        traceId: toHex(span.traceId),
        spanId: toHex(span.spanId),
        parentSpanId: toHex(span.parentSpanId),
        traceState: span.traceState ?? "",
        startNs: BigInt(span.startTimeUnixNano),
        endNs: BigInt(span.endTimeUnixNano),
        attributes: toRecord(span.attributes),
        links: span.links.map((link: { traceId: number[]; spanId: number[] }) => ({
          traceId: toHex(link.traceId),
          spanId: toHex(link.spanId),
        })),
        status: span.status ?? {},
        resource: toRecord(resource.attributes),
      })),
    ),
  );
}

const toHex = (bytes: number[] | undefined) => Buffer.from(bytes ?? []).toString("hex");

const toValue = ({ intValue, ...others }: Record<string, unknown>) =>
  intValue === undefined ? Object.values(others)[0] : Number(intValue);

function toRecord(pairs: Pair[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, toValue(value)]));
}
