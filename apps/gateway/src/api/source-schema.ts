// A source as the API takes and shows it.

import { z } from "@hono/zod-openapi";
import { formatId } from "@sluice/shared/ids";
import { type SigningSecret, truncateSecret } from "@sluice/shared/signature/secret";
import { GEMINI_SOURCE, type SourceRecord } from "@sluice/shared/store/sources";

import { givenSecret, shownSecret, showSecrets } from "./signing-secret.ts";

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, {
    error: 'must be 1 to 64 of a-z, 0-9, "_" and "-", and start with a letter or a digit',
  })
  // A filter takes a name or an id, so no name may be both.
  .refine((text) => !text.startsWith("src_"), 'must not start with "src_", as ids of sources do');

const toleranceSeconds = z.int().min(1).max(86_400);

export const newSource = z
  .strictObject({
    name,
    kind: z
      .enum(["static", "dynamic"])
      .refine(
        (kind) => kind === "static",
        'must be "static": sources for dynamic webhooks (kind "dynamic") come with their verification, in a later version',
      )
      .default("static"),
    signing_secret: givenSecret.optional(),
    tolerance_seconds: toleranceSeconds.default(300),
  })
  .openapi("NewSource");

export const sourceChange = z
  .strictObject({
    name: name.optional(),
    tolerance_seconds: toleranceSeconds.optional(),
    signing_secret: givenSecret.optional(),
  })
  .openapi("SourceChange");

export const sourceSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    kind: z.enum(["static", "dynamic"]),
    schemes: z.array(z.string()),
    tolerance_seconds: z.int(),
    signing_secrets: z.array(shownSecret),
    ingress_path: z.string().openapi({ example: "/in/gemini" }),
    created_at: z.string().openapi({ format: "date-time" }),
    updated_at: z.string().openapi({ format: "date-time" }),
  })
  .openapi("Source");

export const createdSource = sourceSchema.extend({
  new_signing_secret: z
    .string()
    .optional()
    .openapi({ description: "The secret that was generated because none was given; shown this once" }),
});

/** @param geminiSigningSecret the environment's, which is a secret of the source `gemini` and in no table. */
export function showSource(
  record: SourceRecord,
  geminiSigningSecret: SigningSecret | undefined,
): z.infer<typeof sourceSchema> {
  return {
    id: formatId("src", record.id),
    name: record.name,
    kind: record.kind,
    schemes: record.schemes,
    tolerance_seconds: record.toleranceSeconds,
    signing_secrets: showSecrets(
      record.name === GEMINI_SOURCE && geminiSigningSecret !== undefined
        ? [...record.secrets, { truncated: truncateSecret(geminiSigningSecret.text), expiresAt: null }]
        : record.secrets,
    ),
    ingress_path: `/in/${record.name}`,
    created_at: record.createdAt.toISOString(),
    updated_at: record.updatedAt.toISOString(),
  };
}
