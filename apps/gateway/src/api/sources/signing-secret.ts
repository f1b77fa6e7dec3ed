// Signing secrets in requests and answers. A stored secret is only ever shown truncated.

import { z } from "@hono/zod-openapi";

import { readSigningSecret, type SigningSecret, truncateSecret } from "@sluice/signature/secret";
import type { SecretSummary } from "@sluice/store/configuration/secrets";

/** A secret in a request. It is read into a {@link SigningSecret}. */
export const givenSecret = z
  .string()
  .transform((text, context) => {
    const read = readSigningSecret(text);
    if ("secret" in read) return read.secret;
    context.addIssue({ code: "custom", message: read.fault });
    return z.NEVER;
  })
  .openapi({
    type: "string",
    pattern: "^whsec_([A-Za-z0-9+/]{4}){5,}([A-Za-z0-9+/]{2}(==)?|[A-Za-z0-9+/]{3}=?|[A-Za-z0-9+/]{4})$",
    description: "A secret of your own: `whsec_` and base64 of at least 16 bytes",
    writeOnly: true,
  });

/** The body of a rotation of signing secrets. */
export const secretRotation = z
  .strictObject({
    secret: givenSecret
      .optional()
      .openapi({ description: "The new secret. If you leave it out, the relay generates one." }),
    previous: z.enum(["revoke_after_24h", "revoke_immediately"]).openapi("PreviousSecrets").openapi({
      description: "What happens to the stored secrets. A secret that expires sooner keeps its own expiry.",
    }),
  })
  .openapi("SecretRotation");

/** A field beside those of the resource, in the only answer that shows the generated secret. */
export const generatedSecret = z
  .string()
  .optional()
  .openapi({ description: "The generated secret, if the request had none; shown only in this answer" });

export const shownSecret = z
  .object({
    truncated_secret: z.string().openapi({ example: "whsec_...MnM=" }),
    expire_time: z
      .string()
      .nullable()
      .openapi({ format: "date-time", description: "When the secret stops working; null if it has no end" }),
    variable: z.string().optional().openapi({
      description:
        "The environment variable that sets the secret (`GEMINI_SIGNING_SECRET`). Only there can the secret be changed.",
    }),
  })
  .openapi("SigningSecret");

/** Shows the secrets that have not expired. */
export function showSecrets(secrets: readonly SecretSummary[]): z.infer<typeof shownSecret>[] {
  return secrets
    .filter(({ expiresAt }) => expiresAt === null || expiresAt.getTime() > Date.now())
    .map(({ truncated, expiresAt }) => ({
      truncated_secret: truncated,
      expire_time: expiresAt?.toISOString() ?? null,
    }));
}

/** Shows the secret of the source `gemini` that the environment sets and the database does not have. */
export function showEnvironmentSecret(secret: SigningSecret | undefined): z.infer<typeof shownSecret>[] {
  if (secret === undefined) return [];
  return [{ truncated_secret: truncateSecret(secret.text), expire_time: null, variable: "GEMINI_SIGNING_SECRET" }];
}
