// The settings of tracing: what they mean, and that a wrong one is a fault which names it.

import { inspect } from "node:util";

import { readConfig } from "@sluice/shared/settings/read-config";
import { expect, test } from "vitest";
import { z } from "zod";

import { tracingSettings } from "./settings.ts";

const settings = z.object(tracingSettings);

const PASSED = "a b=c";

test("the settings have OpenTelemetry's defaults, and headers with percent-encoded values", () => {
  const config = readConfig(settings, {
    OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.internal/otlp",
    OTEL_EXPORTER_OTLP_HEADERS: `api-key=${encodeURIComponent(PASSED)}, x-tenant = 7,`,
  });
  expect(config.OTEL_EXPORTER_OTLP_HEADERS?.reveal()).toEqual({ "api-key": PASSED, "x-tenant": "7" });
  expect(inspect(config)).not.toContain(PASSED);
  expect(config).toMatchObject({
    OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.internal/otlp",
    OTEL_SDK_DISABLED: false,
    OTEL_TRACES_SAMPLER: "parentbased_always_on",
    OTEL_TRACES_SAMPLER_ARG: 1,
    OTEL_BSP_MAX_QUEUE_SIZE: 2_048,
  });
});

test.for([
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:password@collector:4318"],
  ["OTEL_EXPORTER_OTLP_HEADERS", "api-key"],
  ["OTEL_EXPORTER_OTLP_HEADERS", "api-key=%"],
  ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
  ["OTEL_SDK_DISABLED", "yes"],
  ["OTEL_TRACES_SAMPLER", "sometimes"],
  ["OTEL_TRACES_SAMPLER_ARG", "2"],
  ["OTEL_TRACES_SAMPLER_ARG", "1.2.3"],
  ["OTEL_BSP_SCHEDULE_DELAY", "0"],
] as const)("%s=%s is a fault", ([name, text]) => {
  expect(() => readConfig(settings, { [name]: text })).toThrow(
    expect.objectContaining({ code: "invalid_configuration", faults: [expect.objectContaining({ pointer: name })] }),
  );
});
