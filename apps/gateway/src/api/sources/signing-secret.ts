// Signing secrets in requests and answers: read with their fault, and shown in their truncated form only.

import { z } from "@hono/zod-openapi";

import { readSigningSecret, type SigningSecret, truncateSecret } from "@sluice/signature/secret";
import type { SecretSummary } from "@sluice/store/configuration/secrets";

/** A secret that a caller gives. */
export const givenSecret = z
  .string()
  .transform((text, context) => {
    const read = readSigningSecret(text);
    if ("secret" in read) return read.secret;
    context.addIssue({ code: "custom", message: read.fault });
    return z.NEVER;
  })
  .openapi({ type: "string", description: "`whsec_` and base64", writeOnly: true });

/** What a rotation takes. */
export const secretRotation = z
  .strictObject({
    secret: givenSecret.optional().openapi({ description: "One is generated when it is not given" }),
    previous: z
      .enum(["revoke_after_24h", "revoke_immediately"])
      .openapi({ description: "What becomes of the secrets that are stored; one that expires sooner still does" }),
  })
  .openapi("SecretRotation");

/** In the one answer that shows it, beside the resource. */
export const generatedSecret = z
  .string()
  .optional()
  .openapi({ description: "The secret that was generated because none was given; shown this once" });

export const shownSecret = z
  .object({
    truncated_secret: z.string().openapi({ example: "whsec_...MnM=" }),
    expire_time: z.string().nullable().openapi({ format: "date-time", description: "Null while it is current" }),
    variable: z.string().optional().openapi({
      description:
        "Where it comes from, when that is the environment (GEMINI_SIGNING_SECRET): only there can it be changed",
    }),
  })
  .openapi("SigningSecret");

/** The secrets that are still valid. */
export function showSecrets(secrets: readonly SecretSummary[]): z.infer<typeof shownSecret>[] {
  return secrets
    .filter(({ expiresAt }) => expiresAt === null || expiresAt.getTime() > Date.now())
    .map(({ truncated, expiresAt }) => ({
      truncated_secret: truncated,
      expire_time: expiresAt?.toISOString() ?? null,
    }));
}

/** The one of the source `gemini` that is in no table. */
export function showEnvironmentSecret(secret: SigningSecret | undefined): z.infer<typeof shownSecret>[] {
  if (secret === undefined) return [];
  return [{ truncated_secret: truncateSecret(secret.text), expire_time: null, variable: "GEMINI_SIGNING_SECRET" }];
}
