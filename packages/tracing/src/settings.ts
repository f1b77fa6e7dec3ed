// The settings of tracing. Their names are OpenTelemetry's:
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. A wrong one is a fault at the start,
// and not a warning, as it would be for OpenTelemetry.

import { integer } from "@sluice/shared/settings/common";
import { secretSetting } from "@sluice/shared/settings/read-config";
import { Secret } from "@sluice/shared/settings/secret";
import { z } from "zod";

const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

/** "key=value,key=value" with percent-encoded values: the OTLP exporter's specification. */
const headers = z
  .string()
  .transform((text, context) => {
    const pairs = text
      .split(",")
      .filter((pair) => pair.trim() !== "")
      .map((pair) =>
        /^\s*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\s*=\s*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)\s*$/.exec(pair),
      );
    try {
      const read = pairs.map((pair) => {
        if (pair === null) throw new Error("not a pair");
        return [pair[1] ?? "", decodeURIComponent(pair[2] ?? "")] as const;
      });
      return new Secret(Object.fromEntries(read));
    } catch {
      context.addIssue({ code: "custom", message: "must be headers such as api-key=value,x-tenant=7" });
      return z.NEVER;
    }
  })
  .optional();

export const tracingSettings = {
  // The address of a collector. Nothing is traced without it.
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .string()
    .refine(
      (text) => /^https?:\/\/[^\s?#@]+$/.test(text) && URL.canParse(text),
      "must be an http or https URL without credentials, query and fragment, such as http://collector:4318",
    )
    .optional(),
  OTEL_EXPORTER_OTLP_HEADERS: secretSetting(headers),
  OTEL_EXPORTER_OTLP_PROTOCOL: z
    .literal("http/protobuf", "must be http/protobuf, the only protocol that Sluice speaks")
    .default("http/protobuf"),
  OTEL_SDK_DISABLED: z
    .enum(["true", "false"])
    .transform((text) => text === "true")
    .default(false),
  OTEL_SERVICE_NAME: z.string().min(1).optional(),
  OTEL_TRACES_SAMPLER: z.enum(SAMPLERS).default("parentbased_always_on"),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .refine((text) => /^[0-9.]{1,20}$/.test(text) && Number(text) <= 1, "must be a number from 0 to 1")
    .transform(Number)
    .default(1),
  OTEL_BSP_SCHEDULE_DELAY: integer(1, 600_000).default(5_000),
  OTEL_BSP_MAX_QUEUE_SIZE: integer(1, 1_000_000).default(2_048),
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: integer(1, 100_000).default(512),
};

export type TracingConfig = z.infer<z.ZodObject<typeof tracingSettings>>;
