// The fields that requests to /v1/targets have, with their limits.

import { z } from "@hono/zod-openapi";

import { SUBSCRIPTION } from "@sluice/shared/domain/subscription";
import { TARGET_KINDS, type TargetKind } from "@sluice/shared/domain/target-kinds";
import { TARGET_DEFAULTS } from "@sluice/store/configuration/targets";

import { absoluteUrl, hasCredentials, hasFragment } from "../http/absolute-url.ts";
import { plainText } from "../http/plain-text.ts";
import { withoutRepeats } from "../http/repeats.ts";
import { EXPRESSION_OVER, filterExpression } from "../log/filter-expression.ts";
import { orNull } from "../openapi/endpoint.ts";
import { headersSchema } from "./target-headers.ts";
import { tlsSchema } from "./target-tls.ts";

export const MAX_TARGET_NAME_LENGTH = 200;

export const targetName = plainText(MAX_TARGET_NAME_LENGTH)
  .min(1)
  // The address of a target by its name would be another one: clients resolve these two in a path (RFC 3986, 5.2.4).
  .refine((text) => text !== "." && text !== "..", 'must not be "." or ".."')
  .openapi({ description: "Unique among targets. Upper and lower case differ." });

export const targetUri = absoluteUrl("must be an absolute http or https URL")
  .refine((text) => !hasFragment(text), "must not have a fragment")
  .refine((text) => !hasCredentials(text), "must not hold credentials; use headers for them")
  .openapi({ description: "Where the events are sent by POST", example: "http://billing.internal:3000/gemini" });

const subscribedEvents = z
  .array(
    z.string().regex(SUBSCRIPTION, {
      error: 'must be the name of an event such as "batch.succeeded", a group of them such as "batch.*", or "*"',
    }),
  )
  .min(1)
  .max(100)
  .apply(withoutRepeats)
  .openapi({
    description:
      "The types of events that the target gets: exact names, groups such as `batch.*`, or `*` for all of them but the " +
      "relay's own.",
    example: ["batch.*", "video.generated"],
  });

const filter = filterExpression.nullable().openapi({
  description: `${EXPRESSION_OVER} The target gets only the events for which it is true; null stands for all events.`,
  example: 'event.type == "batch.failed" || event.labels.team == "billing"',
});

const retryFields = {
  base_seconds: z
    .number()
    .min(0.05)
    .max(3_600)
    .openapi({ description: "The shortest pause after a failed attempt", example: TARGET_DEFAULTS.retryBaseSeconds }),
  cap_seconds: z.number().min(0.05).max(86_400).openapi({
    description: "The longest pause, unless `Retry-After` asks for more",
    example: TARGET_DEFAULTS.retryCapSeconds,
  }),
  horizon_seconds: z.number().min(1).max(604_800).openapi({
    description: "How long the relay tries to deliver an event",
    example: TARGET_DEFAULTS.retryHorizonSeconds,
  }),
};
const MAX_IDLE_SECONDS = 366 * 86_400;
const timeoutSeconds = z
  .int()
  .min(1)
  .max(30)
  .openapi({ description: "How long the whole response may take", example: TARGET_DEFAULTS.timeoutSeconds });
const maxInFlight = z.int().min(1).max(1_000).openapi({
  description: "How many requests all workers together send at the same time",
  example: TARGET_DEFAULTS.maxInFlight,
});
export const targetRateLimit = z
  .strictObject({
    requests: z.int().min(1).max(1_000_000).openapi({ description: "The most requests in the time", example: 100 }),
    per_seconds: z.int().min(1).max(3_600).openapi({ description: "The length of the time", example: 60 }),
  })
  .openapi("RateLimit", {
    description:
      "The most requests in this time, over all workers, kept within a tenth. They are spread evenly over the time.",
    example: { requests: 100, per_seconds: 60 },
  });
export const settableState = z.enum(["enabled", "paused", "disabled"]).openapi("SettableTargetState", {
  description:
    "`enabled`: events are delivered. `paused`: they are kept and do not expire, until the target is resumed. `disabled`: " +
    "the target never gets the events of this time; what was pending before is held.",
});

export const targetKind = z.enum(TARGET_KINDS).openapi("TargetKind", {
  description:
    "What the target takes. `http`: the body of each event, signed. `pull`: the same, but the service fetches it by `:pull`. The others: a message about each event, at the incoming " +
    "webhook of that chat service.",
});

/** The body of an update. A given field replaces the current value; in `retry` and `tls`, each given field does so. */
export const targetChange = z
  .strictObject({
    name: targetName.optional(),
    uri: targetUri.optional(),
    subscribed_events: subscribedEvents.optional(),
    state: settableState.optional(),
    headers: headersSchema.optional(),
    timeout_seconds: timeoutSeconds.optional(),
    max_in_flight: maxInFlight.optional(),
    rate_limit: orNull(targetRateLimit)
      .optional()
      .openapi({
        description: "The most requests in a time, over all workers. Null stands for no limit",
        example: { requests: 100, per_seconds: 60 },
      }),
    retry: z
      .strictObject(retryFields)
      .partial()
      .openapi("RetryChange", { description: "The schedule of attempts. Fields that you leave out stay as they are." })
      .optional(),
    filter: filter.optional(),
    delete_after_idle_seconds: z
      .int()
      .min(60)
      .max(MAX_IDLE_SECONDS)
      .nullable()
      .optional()
      .openapi({
        description:
          "Only for pull targets: the relay deletes a target that nobody pulled for so long. Null stands for never, and so " +
          "does a file of settings that manages the target.",
        example: null,
      }),
    tls: orNull(tlsSchema)
      .optional()
      .openapi({
        description:
          "How the target is reached by TLS; only with https. Fields that you leave out stay as they are. Null removes all " +
          "of them. A change of the origin of `uri` drops the client certificate and its key, unless it gives new ones.",
        example: null,
      }),
  })
  .openapi("TargetChange");

const newTargetFields = z.strictObject({
  ...targetChange.shape,
  name: targetName.optional().openapi({
    description:
      "Unique among targets. If you leave it out, the name is the host of `uri`, or `pull`, with a number if it is taken.",
  }),
  kind: targetKind.default("http").openapi({ description: "The kind cannot be changed later" }),
  uri: targetUri.optional().openapi({ description: "Required, except for a pull target, which has none" }),
  subscribed_events: subscribedEvents,
});

export const newTarget = requireTargetUri(newTargetFields).openapi("NewTarget");

/** Names a missing `uri` beside all other faults. */
export function requireTargetUri<T extends z.ZodType<{ kind: TargetKind; uri?: string | undefined }>>(schema: T): T {
  return schema.refine(({ kind: ofKind, uri }) => ofKind === "pull" || uri !== undefined, {
    path: ["uri"],
    error: "is required for a target that the relay sends to",
    when: ({ value, issues }) =>
      typeof value === "object" &&
      value !== null &&
      !issues.some(({ path }) => path?.[0] === "uri" || path?.[0] === "kind"),
  });
}

/** The body of a PUT by name. */
export const targetReplacement = requireTargetUri(
  z.strictObject({
    ...newTargetFields.shape,
    name: targetName.optional().openapi({ description: "The name in the path" }),
  }),
).openapi("TargetReplacement");
