// What a file of settings says: sources, targets and keys by their names, in the fields of the API. A field that the API gets is
// a field of the file.

import { z } from "@hono/zod-openapi";

import { MIN_API_KEY_LENGTH } from "@sluice/shared/domain/api-key";

import { configuredScopes } from "../access/key-scopes.ts";
import { givenExpiry, newKeySchema } from "../access/keys.ts";
import { plainText } from "../http/plain-text.ts";
import { sourceName, sourceReplacement } from "../sources/source-schema.ts";
import { givenSecret } from "../sources/signing-secret.ts";
import { requireTargetUri, targetName, targetReplacement } from "../targets/target-request.ts";

/** Of each kind. Each takes two transactions, one to see what it would change. */
const MAX_RESOURCES = 2_000;

/** The characters of a header's value, because a key travels in one. */
const KEY_TEXT = /^[\x21-\x7e]+$/;

const configuredSource = z
  .strictObject({ ...sourceReplacement.shape, name: sourceName })
  .openapi("ConfiguredSource", { example: { name: "billing" } });

const configuredTarget = requireTargetUri(
  z.strictObject({
    ...targetReplacement.shape,
    name: targetName,
    state: targetReplacement.shape.state.openapi({
      description: "If you leave it out, a target keeps the state that it has",
    }),
    signing_secret: givenSecret.optional().openapi({
      description:
        "The secret by which the service verifies deliveries. Another one than before replaces it, with an overlap of 24 hours. " +
        "If you leave it out, the relay generates one.",
    }),
  }),
).openapi("ConfiguredTarget");

const configuredKey = z
  .strictObject({
    name: newKeySchema.shape.name,
    scopes: configuredScopes,
    expires_at: givenExpiry,
    key: z
      .string()
      .min(MIN_API_KEY_LENGTH)
      .max(256)
      .regex(KEY_TEXT, "must have visible ASCII characters only")
      .openapi({
        writeOnly: true,
        description: "The key itself. Another one than before revokes the earlier one at once.",
        example: "sluice_the-43-characters-that-nobody-else-knows",
      }),
  })
  .openapi("ConfiguredKey");

export type ConfiguredSource = z.infer<typeof configuredSource>;
export type ConfiguredTarget = z.infer<typeof configuredTarget>;
export type ConfiguredKey = z.infer<typeof configuredKey>;

const resourcesOf = <T extends z.ZodType>(schema: T, description: string) =>
  z.array(schema).max(MAX_RESOURCES).default([]).openapi({ description, example: [] });

export const configurationSchema = z
  .strictObject({
    managed_by: plainText(100).min(1).default("sluice.yaml").openapi({
      description: "Marks what this file manages. Give each of several files a name of its own.",
      example: "sluice.yaml",
    }),
    sources: resourcesOf(configuredSource, "Where events come from"),
    targets: resourcesOf(configuredTarget, "Where events go to"),
    keys: resourcesOf(configuredKey, "The keys of the API"),
  })
  .openapi("SettingsFile");

export type Configuration = z.infer<typeof configurationSchema>;

export const applicationSchema = z
  .strictObject({
    configuration: configurationSchema.openapi({
      description: "Sources, targets and keys, as a file of settings has them",
    }),
    dry_run: z
      .boolean()
      .default(false)
      .openapi({ description: "Whether nothing is changed, and the answer shows what would be" }),
    prune: z.boolean().default(false).openapi({
      description:
        "Whether to remove what the configuration's `managed_by` manages and the configuration does not name",
    }),
  })
  .openapi("ConfigurationApplication");

const RESOURCE_TYPES = ["source", "target", "key"] as const;
export type ResourceType = (typeof RESOURCE_TYPES)[number];

const resourceName = { type: z.enum(RESOURCE_TYPES).openapi("ConfiguredType"), name: z.string() };

const changeSchema = z
  .object({
    ...resourceName,
    action: z.enum(["create", "update", "delete"]).openapi("ConfigurationAction", {
      description: "A key that is deleted is revoked, and one whose text changed is replaced by a new one (update).",
    }),
    fields: z
      .array(
        z
          .object({ field: z.string().openapi({ example: "uri" }), before: z.unknown(), after: z.unknown() })
          .openapi("ChangedField"),
      )
      .openapi({ description: "What an update changes, as the API shows it, so without secrets", example: [] }),
    changes_credential: z.boolean().openapi({
      description: "Whether an update changes what the API does not show, such as the value of a header",
    }),
    new_signing_secret: z
      .string()
      .optional()
      .openapi({ description: "The generated secret; shown only in this answer" }),
    new_ingress_token: z.string().optional().openapi({
      description: "The first token of a new dynamic source; shown only in this answer",
    }),
  })
  .openapi("ConfigurationChange");

export type ConfigurationChange = z.infer<typeof changeSchema>;

export const appliedSchema = z
  .object({
    managed_by: z.string().openapi({ example: "sluice.yaml" }),
    dry_run: z.boolean(),
    changes: z.array(changeSchema),
    unchanged: z.int().openapi({ description: "How many resources are already as the configuration wants them" }),
    left: z.array(z.object(resourceName).openapi("LeftResource")).openapi({
      description: "What `managed_by` manages and the configuration does not name. `prune` removes it.",
    }),
  })
  .openapi("AppliedConfiguration");

export type AppliedConfiguration = z.infer<typeof appliedSchema>;
