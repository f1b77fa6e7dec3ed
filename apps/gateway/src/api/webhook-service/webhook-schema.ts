// A target in the requests and answers of Gemini's WebhookService, with the fields and states of the official SDK. A
// change made here never touches the other settings of a target, such as headers, filter and retry.

import { z } from "@hono/zod-openapi";

import { formatId, readId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { TARGET_DEFAULTS, type TargetRecord, type TargetSettings } from "@sluice/store/configuration/targets";
import type { TargetState } from "@sluice/store/schema";

import { invalidRequest } from "../http/invalid-request.ts";
import { idField } from "../openapi/endpoint.ts";
import { showSecrets } from "../sources/signing-secret.ts";
import { addressFor } from "../targets/chat-target.ts";
import { headersFor } from "../targets/target-headers.ts";
import { newTarget, targetName, targetUri } from "../targets/target-request.ts";
import { nameAfter } from "../targets/target-schema.ts";
import { tlsFor } from "../targets/target-tls.ts";

/** A larger page size is reduced to this one, as https://google.aip.dev/158 says. */
const MAX_PAGE_SIZE = 1_000;
const DEFAULT_PAGE_SIZE = 50;

/** An enum in either case: the SDK writes small letters, the curl examples in Gemini's documentation write capitals. */
const enumOf = <const T extends readonly string[]>(values: T) =>
  z
    .string()
    .transform((text) => text.toLowerCase())
    .pipe(z.enum(values));

const STATES = ["enabled", "disabled", "disabled_due_to_failed_deliveries"] as const;
const state = enumOf(STATES).openapi({
  type: "string",
  enum: [...STATES],
  description: "An enabled webhook gets events. One that the relay disabled says so.",
});

/** Fields that a client may send back as it read them. They are ignored, as https://google.aip.dev/203 says. */
const OUTPUT_ONLY = ["id", "signing_secrets", "new_signing_secret", "create_time", "update_time"] as const;
const ignored = z.unknown().optional().openapi({ description: "Output only; ignored" });
const outputOnly = Object.fromEntries(OUTPUT_ONLY.map((field) => [field, ignored])) as Record<
  (typeof OUTPUT_ONLY)[number],
  typeof ignored
>;

const { subscribed_events: subscribedEvents } = newTarget.shape;
const name = targetName.optional().openapi({
  description: "By default the host of `uri`. If another webhook has the name, it gets a number, such as `billing-2`.",
});
const WRITABLE = ["name", "uri", "subscribed_events", "state"] as const;

export const newWebhook = inEitherCase(
  z.strictObject({ name, uri: targetUri, subscribed_events: subscribedEvents, state: state.optional(), ...outputOnly }),
).openapi("NewWebhook");

export const webhookChange = inEitherCase(
  z.strictObject({
    name,
    uri: targetUri.optional(),
    subscribed_events: subscribedEvents.optional(),
    state: state.optional(),
    ...outputOnly,
  }),
).openapi("WebhookChange");

const REVOCATION_BEHAVIORS = ["revoke_previous_secrets_after_h24", "revoke_previous_secrets_immediately"] as const;

export const webhookRotation = inEitherCase(
  z.strictObject({
    revocation_behavior: enumOf(REVOCATION_BEHAVIORS)
      .openapi("RevocationBehavior", {
        type: "string",
        enum: [...REVOCATION_BEHAVIORS],
        description: "When the secrets that the webhook has end",
      })
      .default("revoke_previous_secrets_after_h24"),
  }),
).openapi("WebhookRotation");

// Parameters that are not known are ignored, as Google's service ignores them.
export const anyQuery = z.object({});

export const webhookListQuery = inEitherCase(
  z.object({
    page_size: z
      .string()
      .regex(/^[0-9]+$/, { error: "must be a whole number that is not negative" })
      .transform((text) => Math.min(Number(text), MAX_PAGE_SIZE) || DEFAULT_PAGE_SIZE)
      .default(DEFAULT_PAGE_SIZE)
      .openapi({
        type: "integer",
        minimum: 0,
        default: DEFAULT_PAGE_SIZE,
        description: "A page has at most 1000 webhooks",
      }),
    page_token: z.string().optional().openapi({ description: "The `next_page_token` of the page before" }),
  }),
);

export const webhookUpdateQuery = inEitherCase(
  z.object({
    update_mask: z.string().optional().openapi({
      description:
        "The fields of the body to apply, separated by commas. If you leave it out, or for `*`, all fields are applied.",
      example: "state,uri",
    }),
  }),
);

const webhookSecret = z
  .object({ truncated_secret: z.string(), expire_time: z.string().optional().openapi({ format: "date-time" }) })
  .openapi("WebhookSecret");

export const webhookSchema = z
  .object({
    id: idField("tgt"),
    name: z.string(),
    uri: z.string(),
    subscribed_events: z.array(z.string()).openapi({ example: ["batch.*", "video.generated"] }),
    state: z.enum(STATES).openapi("WebhookState", {
      description: "A paused target is shown as `disabled`. Setting `enabled` resumes it; `disabled` leaves it paused.",
    }),
    signing_secrets: z.array(webhookSecret),
    create_time: z.string().openapi({ format: "date-time" }),
    update_time: z.string().openapi({ format: "date-time" }),
  })
  .openapi("Webhook");

export const createdWebhook = webhookSchema
  .extend({ new_signing_secret: z.string().openapi({ description: "The signing secret; shown only in this answer" }) })
  .openapi("CreatedWebhook");

export function showWebhook(record: TargetRecord): z.infer<typeof webhookSchema> {
  return {
    id: formatId("tgt", record.id),
    name: record.name,
    uri: record.uri,
    subscribed_events: record.subscribedEvents,
    state: showState(record.state),
    signing_secrets: showSecrets(record.secrets).map(({ truncated_secret, expire_time }) => ({
      truncated_secret,
      // Google's JSON leaves out a field that has no value.
      ...(expire_time !== null && { expire_time }),
    })),
    create_time: record.createdAt.toISOString(),
    update_time: record.updatedAt.toISOString(),
  };
}

/** The WebhookService has no paused state. `disabled` comes closest: nothing is delivered. */
function showState(current: TargetState) {
  return current === "paused" ? "disabled" : current;
}

/**
 * The UUID of `tgt_…` or `webhooks/tgt_…`.
 * @throws SluiceError `not_found` for a malformed id as well, because clients of Gemini do not know the form of our ids.
 */
export function readWebhookId(text: string): string {
  const uuid = readId("tgt", text.replace(/^webhooks\//, ""));
  if (uuid === undefined) throw webhookNotFound();
  return uuid;
}

/** Says "webhook" where the rest of the API says "target". @throws SluiceError what the work throws. */
export async function asWebhook<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof SluiceError && error.code === "not_found" ? webhookNotFound() : error;
  }
}

export const webhookNotFound = () => new SluiceError("not_found", "There is no webhook with this id");

/** The settings of the target for a new webhook. */
export function toWebhookSettings(given: z.infer<typeof newWebhook>): TargetSettings {
  const { uri: address } = given;
  return {
    ...TARGET_DEFAULTS,
    name: given.name ?? nameAfter("http", address),
    uri: address,
    subscribedEvents: given.subscribed_events,
    state: given.state ?? TARGET_DEFAULTS.state,
  };
}

/**
 * The settings that an update changes: the fields of the body that the mask names.
 * @throws SluiceError `invalid_request` for a mask that names an unknown field.
 */
export function applyWebhookChange(
  current: TargetSettings,
  given: z.infer<typeof webhookChange>,
  mask: string | undefined,
): Partial<TargetSettings> {
  const isApplied = readMask(mask);
  return {
    ...(given.name !== undefined && isApplied("name") && { name: given.name }),
    ...(given.uri !== undefined &&
      isApplied("uri") && {
        ...addressFor(current.kind, given.uri, current),
        headers: headersFor(current, given.uri),
        tls: tlsFor(current, given.uri),
      }),
    ...(given.subscribed_events !== undefined &&
      isApplied("subscribed_events") && { subscribedEvents: given.subscribed_events }),
    // A client may send back the state that it read. This must not turn a pause into `disabled`, which loses events.
    ...(given.state !== undefined &&
      isApplied("state") &&
      given.state !== showState(current.state) && { state: given.state }),
  };
}

function readMask(mask: string | undefined): (field: (typeof WRITABLE)[number]) => boolean {
  const fields = (mask ?? "").split(",").map((field) => toSnakeCase(field.trim()));
  const known = ["", "*", ...WRITABLE, ...OUTPUT_ONLY];
  const unknown = fields.filter((field) => !known.includes(field));
  if (unknown.length > 0) {
    throw invalidRequest([
      { pointer: "?update_mask", detail: `names ${unknown.join(", ")}, but a webhook has no such field` },
    ]);
  }
  const isWhole = fields.includes("*") || fields.every((field) => field === "");
  return (field) => isWhole || fields.includes(field);
}

/** Accepts the fields of a schema in snake_case and in camelCase, as Google's APIs do. */
function inEitherCase<T extends z.ZodObject>(schema: T) {
  return z
    .transform((given: unknown, context) => {
      if (typeof given !== "object" || given === null || Array.isArray(given)) return given;
      const renamed = new Map<string, unknown>();
      for (const [key, value] of Object.entries(given)) {
        const field = toSnakeCase(key);
        if (renamed.has(field)) context.addIssue({ code: "custom", message: "is given twice", path: [field] });
        renamed.set(field, value);
      }
      return Object.fromEntries(renamed);
    })
    .pipe(schema);
}

const toSnakeCase = (field: string) => field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
