// A source in requests and answers. A field that belongs to the other kind of source is refused by name. If it were
// ignored instead, the source would not verify what its caller asked for.

import { z } from "@hono/zod-openapi";

import { formatId } from "@sluice/shared/domain/ids";
import type { Fault } from "@sluice/shared/runtime/errors";
import { Secret } from "@sluice/shared/settings/secret";
import { DEFAULT_JWKS_URI } from "@sluice/signature/jwks";
import { SCHEMES_OF } from "@sluice/signature/schemes";
import type { SigningSecret } from "@sluice/signature/secret";
import { RECONCILE_DEFAULTS } from "@sluice/store/configuration/reconciliation";
import {
  GEMINI_SOURCE,
  SOURCE_DEFAULTS,
  type SourceRecord,
  type SourceSettings,
} from "@sluice/store/configuration/sources";
import type { SourceKind } from "@sluice/store/schema";

import { invalidRequest } from "../http/invalid-request.ts";
import { withoutRepeats } from "../http/repeats.ts";
import { idField, orNull } from "../openapi/endpoint.ts";
import { shownLostSecrets } from "../openapi/shown-lost-secrets.ts";
import { shownManager } from "../openapi/shown-manager.ts";
import { reconcileChange, shownReconcile, showReconcile } from "./reconcile-settings.ts";
import { bodyUnbound, dynamicFields, shownToken, showTokens } from "./dynamic-source-schema.ts";
import { generatedSecret, givenSecret, showEnvironmentSecret, shownSecret, showSecrets } from "./signing-secret.ts";

export const sourceName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, {
    error: 'must be 1 to 64 of a-z, 0-9, "_" and "-", and start with a letter or a digit',
  })
  // Filters of the API accept a name or an id, so a name must not look like an id.
  .refine((text) => !text.startsWith("src_"), 'must not start with "src_", as ids of sources do')
  .openapi({ description: "Unique among sources. It is in the address of the source: `/in/{name}`." });

const kind = z.enum(["static", "dynamic"]).openapi("SourceKind");
const scheme = z.enum([...SCHEMES_OF.static, ...SCHEMES_OF.dynamic]).openapi("Scheme");

const schemes = z
  .array(scheme)
  .min(1)
  .apply(withoutRepeats)
  .optional()
  .openapi({ description: "The signature schemes that the source accepts" });

const settings = {
  tolerance_seconds: z.int().min(1).max(86_400).optional().openapi({
    description: "How far the timestamp of a webhook may be from the clock of the relay",
    example: 300,
  }),
  expect_every_seconds: z.int().min(60).max(31_536_000).nullable().optional().openapi({
    description:
      "When no event has come for longer, the relay tells so by `sluice.source.failing`. Null: it never does.",
    example: null,
  }),
  ...dynamicFields,
};
const signingSecret = givenSecret.optional();

/** Google does not say what its keys look like; all that were seen are short and have these characters. */
const GEMINI_KEY = /^[A-Za-z0-9._-]{8,256}$/;
const geminiApiKey = z
  .string()
  .regex(GEMINI_KEY, { error: 'must be 8 to 256 of A-Z, a-z, 0-9, ".", "_" and "-"' })
  .transform((text) => new Secret(text))
  .openapi({
    type: "string",
    pattern: GEMINI_KEY.source,
    writeOnly: true,
    example: "AIzaSyExampleExampleExampleExample12345",
  });

/** The body of an update. */
export const sourceChange = z
  .strictObject({
    name: sourceName.optional(),
    schemes,
    signing_secret: signingSecret.openapi({ description: "Only for static sources. It replaces every stored secret." }),
    gemini_api_key: geminiApiKey
      .nullable()
      .optional()
      .openapi({
        type: ["string", "null"],
        description: "The key of the Gemini API with which the relay manages this source there; null removes it",
      }),
    reconcile: reconcileChange,
    ...settings,
  })
  .openapi("SourceChange");

export const newSource = z
  .strictObject({
    name: sourceName,
    kind: kind.default("static").openapi({ description: "The kind cannot be changed later" }),
    schemes: schemes.openapi({ description: "If you leave it out, the source accepts all schemes of its kind" }),
    signing_secret: signingSecret.openapi({
      description: "Only for static sources. If you leave it out, the relay generates one.",
    }),
    gemini_api_key: geminiApiKey
      .optional()
      .openapi({ description: "The key of the Gemini API with which the relay manages this source there" }),
    reconcile: reconcileChange,
    ...settings,
  })
  .openapi("NewSource");

/** The body of a PUT by name. */
export const sourceReplacement = z
  .strictObject({
    ...newSource.shape,
    name: sourceName.optional().openapi({ description: "The name in the path" }),
    gemini_api_key: sourceChange.shape.gemini_api_key,
  })
  .openapi("SourceReplacement");

type SourceChange = z.infer<typeof sourceChange>;

/** What a request makes of a source. Its credentials are those of {@link sourceChange}. */
export interface SourcePlan extends Pick<SourceChange, "signing_secret" | "gemini_api_key" | "reconcile"> {
  settings: Partial<SourceSettings>;
}

const upstreamSummary = z
  .object({
    state: z.string().nullable().openapi({ example: "enabled", description: "Null while it is not registered" }),
    drift: z.array(z.string()).openapi({ example: [], description: "The codes of what differs at Gemini" }),
  })
  .openapi("UpstreamSummary");

export const sourceSchema = z
  .object({
    id: idField("src"),
    name: z.string(),
    kind,
    schemes: z.array(scheme).openapi({ example: ["v1"] }),
    tolerance_seconds: z.int().openapi({ example: 300 }),
    expect_every_seconds: z.int().nullable().openapi({ example: null }),
    signing_secrets: z.array(shownSecret),
    gemini_api_key: z.string().nullable().openapi({
      example: null,
      description: "The end of the key of the Gemini API, such as `...2345`; null without one",
    }),
    upstream: orNull(upstreamSummary).openapi({
      description: "The webhook at Gemini that the relay manages, in short; null without one",
      example: null,
    }),
    reconcile: shownReconcile,
    audiences: z.array(z.string()).openapi({ example: [] }),
    issuers: z.array(z.string()).openapi({ example: [] }),
    token_types: z.array(z.string()).openapi({ example: [] }),
    max_token_seconds: z.int().nullable().openapi({ example: 3600, description: "Null for a static source" }),
    jwks_uri: z.string().nullable().openapi({ description: "The URL of the key set in use; null for a static source" }),
    body_unbound: orNull(bodyUnbound).openapi({ description: "Null for a static source", example: null }),
    public_keys: z.array(z.string()).openapi({ example: [] }),
    ingress_tokens: z.array(shownToken).openapi({ example: [] }),
    lost_secrets: shownLostSecrets,
    managed_by: shownManager,
    ingress_path: z.string().openapi({
      example: "/in/billing",
      description: "Where the sender sends its webhooks. For a dynamic source, replace `{token}` by one of its tokens.",
    }),
    created_at: z.string().openapi({ format: "date-time" }),
    updated_at: z.string().openapi({ format: "date-time" }),
  })
  .openapi("Source");

export const createdSource = sourceSchema
  .extend({
    new_signing_secret: generatedSecret,
    new_ingress_token: z
      .string()
      .optional()
      .openapi({ description: "The first token of a new dynamic source; shown only in this answer" }),
  })
  .openapi("CreatedSource");

/** @param geminiSigningSecret the secret of the source `gemini` that the environment sets and no table has. */
export function showSource(
  record: SourceRecord,
  geminiSigningSecret: SigningSecret | undefined,
): z.infer<typeof sourceSchema> {
  const isDynamic = record.kind === "dynamic";
  return {
    id: formatId("src", record.id),
    name: record.name,
    kind: record.kind,
    schemes: record.schemes,
    tolerance_seconds: record.toleranceSeconds,
    expect_every_seconds: record.expectEverySeconds,
    signing_secrets: [
      ...showSecrets(record.secrets),
      ...(record.name === GEMINI_SOURCE ? showEnvironmentSecret(geminiSigningSecret) : []),
    ],
    gemini_api_key: record.geminiKey,
    upstream: showUpstreamSummary(record.upstream),
    reconcile: showReconcile(record.reconcile),
    audiences: record.audiences,
    issuers: record.issuers,
    token_types: record.tokenTypes,
    max_token_seconds: isDynamic ? record.maxTokenSeconds : null,
    jwks_uri: isDynamic ? (record.jwksUri ?? DEFAULT_JWKS_URI) : null,
    body_unbound: isDynamic ? record.bodyUnbound : null,
    public_keys: record.publicKeys,
    ingress_tokens: showTokens(record.ingressTokens),
    lost_secrets: record.lost,
    managed_by: record.managedBy,
    ingress_path: `/in/${record.name}${isDynamic ? "/{token}" : ""}`,
    created_at: record.createdAt.toISOString(),
    updated_at: record.updatedAt.toISOString(),
  };
}

function showUpstreamSummary(upstream: SourceRecord["upstream"]): z.infer<typeof sourceSchema>["upstream"] {
  if (upstream === null) return null;
  return { state: upstream.seen?.state ?? null, drift: upstream.drift.map(({ code }) => code) };
}

/** The settings of a new source. @throws SluiceError `invalid_request` that names fields of the other kind. */
export function toSourceSettings(given: z.infer<typeof newSource>): SourceSettings {
  const { kind: ofKind, name: newName, ...change } = given;
  return { ...SOURCE_DEFAULTS, schemes: [...SCHEMES_OF[ofKind]], ...toSettingsChange(ofKind, change), name: newName };
}

/** The settings that a change sets. @throws SluiceError `invalid_request` that names fields of the other kind. */
export function toSettingsChange(ofKind: SourceKind, given: SourceChange): Partial<SourceSettings> {
  const faults = findForeign(ofKind, given);
  if (faults.length > 0) throw invalidRequest(faults);
  const named = {
    name: given.name,
    schemes: given.schemes,
    toleranceSeconds: given.tolerance_seconds,
    expectEverySeconds: given.expect_every_seconds,
    audiences: given.audiences,
    issuers: given.issuers,
    tokenTypes: given.token_types,
    maxTokenSeconds: given.max_token_seconds,
    jwksUri: given.jwks_uri,
    bodyUnbound: given.body_unbound,
    publicKeys: given.public_keys,
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}

/**
 * What takes the place of a source's settings. What is not given goes back to its default, except credentials.
 * @throws SluiceError `invalid_request`
 */
export function toSourceReplacement(current: SourceRecord, given: z.infer<typeof sourceReplacement>): SourcePlan {
  if (given.kind !== current.kind) {
    const detail = `is ${given.kind}, but the source is ${current.kind}, and its kind cannot be changed`;
    throw invalidRequest([{ pointer: "/kind", detail }]);
  }
  return {
    ...given,
    settings: {
      ...toSourceSettings({ ...given, name: current.name, gemini_api_key: undefined }),
      managedBy: current.managedBy,
    },
    reconcile: { ...showReconcile(RECONCILE_DEFAULTS), ...given.reconcile },
  };
}

/** A fault for each field and each scheme that belongs to the other kind of source. */
function findForeign(ofKind: SourceKind, given: SourceChange): Fault[] {
  const other = ofKind === "static" ? "dynamic" : "static";
  const foreign: (keyof SourceChange)[] =
    ofKind === "static" ? (Object.keys(dynamicFields) as (keyof typeof dynamicFields)[]) : ["signing_secret"];
  const own: readonly string[] = SCHEMES_OF[ofKind];
  return [
    ...foreign
      .filter((field) => given[field] !== undefined)
      .map((field) => ({ pointer: `/${field}`, detail: `is a field of ${other} sources, and this one is ${ofKind}` })),
    ...(given.schemes ?? []).flatMap((each, index) =>
      own.includes(each)
        ? []
        : [
            {
              pointer: `/schemes/${index}`,
              detail: `is "${each}", a scheme of ${other} sources, and this one is ${ofKind}`,
            },
          ],
    ),
  ];
}
