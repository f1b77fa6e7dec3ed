// The requests and answers of a target that pulls.

import { z } from "@hono/zod-openapi";

import { plainText } from "../http/plain-text.ts";
import { withoutRepeats } from "../http/repeats.ts";
import { attemptTrigger, deliveryStatus } from "../log/delivery-schema.ts";
import { idField, orNull } from "../openapi/endpoint.ts";
import { targetState } from "../targets/target-schema.ts";
import { PULL_TOKEN } from "./pull-token.ts";

const MAX_DELIVERIES = 100;
const MAX_WAIT_SECONDS = 25;
const MAX_LEASE_SECONDS = 600;
/** Like the lease of a worker. */
const LEASE_SECONDS = 45;
const MAX_DURATION_MS = 7 * 86_400_000;
const MAX_RETRY_AFTER_SECONDS = 7 * 86_400;
const EXAMPLE_TOKEN = "AZsAAAAAcACAAAAAAAAAAAGbAAAAAHAAgAAAAAAAAAA";

const leaseSeconds = z.int().min(10).max(MAX_LEASE_SECONDS);
const instant = z.string().openapi({ format: "date-time" });
const givenToken = z.string().regex(PULL_TOKEN, "must be a token of a pull").openapi({
  description: "The token that the pull gave with the delivery",
  example: EXAMPLE_TOKEN,
});
const shownToken = z.string().openapi({ example: EXAMPLE_TOKEN });

export const pullRequest = z
  .strictObject({
    max: z.int().min(1).max(MAX_DELIVERIES).default(10).openapi({
      description: "The most deliveries in the answer. Their bodies have some 4 MiB together, or it is one delivery.",
    }),
    wait_seconds: z.int().min(0).max(MAX_WAIT_SECONDS).default(0).openapi({
      description: "How long to wait for the first delivery if none is due",
    }),
    lease_seconds: leaseSeconds.default(LEASE_SECONDS).openapi({
      description: "For how long nobody else gets these deliveries. `:extend` makes it longer.",
    }),
  })
  .openapi("PullRequest");

export const pullAnswer = z
  .object({
    deliveries: z.array(
      z
        .object({
          token: shownToken.openapi({ description: "Names the delivery and this pull in `:ack` and `:extend`" }),
          delivery_id: idField("dlv"),
          event_id: idField("evt"),
          event_type: z.string().nullable(),
          attempt: z.int().openapi({ description: "The number of the attempt that you make now" }),
          trigger: attemptTrigger,
          headers: z.record(z.string(), z.string()).openapi({
            description: "The headers that an http target would get, signed with the secrets of this target",
            example: { "webhook-id": "msg_123", "webhook-timestamp": "1795000000", "webhook-signature": "v1,…" },
          }),
          body: z
            .string()
            .openapi({ format: "byte", description: "The bytes of the event in base64", example: "e30=" }),
          deadline_at: instant,
          lease_expires_at: instant.openapi({ description: "When somebody else may get it, unless you report it" }),
        })
        .openapi("PulledDelivery"),
    ),
    waiting: z.int().openapi({
      description: "How many more are due now. The count stops at 1,000.",
      example: 0,
    }),
    state: targetState.openapi({
      description: "The state of the target. Only an enabled target gets deliveries.",
    }),
  })
  .openapi("PullAnswer");

const reportSchema = z
  .strictObject({
    token: givenToken,
    status_code: z.int().min(100).max(599).optional().openapi({
      description: "What the service answered. A 2xx without `error` is a success.",
      example: 200,
    }),
    error: plainText(300).min(1).optional().openapi({
      description:
        "Why there is no complete answer. One that begins with `timeout: ` or `connection: ` is counted as such in the metrics.",
      example: "timeout: no answer within 20 s",
    }),
    duration_ms: z
      .number()
      .min(0)
      .max(MAX_DURATION_MS)
      .openapi({ description: "How long the service took", example: 41.7 }),
    started_at: z.iso
      .datetime({ offset: true, error: "must be a time of RFC 3339 such as 2026-01-22T12:00:00Z" })
      .transform((text) => Date.parse(text))
      .optional()
      .openapi({
        type: "string",
        format: "date-time",
        description: "By default `duration_ms` ago. A time before the pull, or after the report, is moved there.",
      }),
    response_excerpt: z.string().max(65_536).optional().openapi({
      description: "The start of the answer. The log keeps 1,024 bytes.",
      example: "ok",
    }),
    retry_after_seconds: z.number().min(0).max(MAX_RETRY_AFTER_SECONDS).optional().openapi({
      description:
        "The `Retry-After` of the answer. It wins over the schedule of the target, up to a quarter of its horizon.",
      example: 30,
    }),
  })
  .refine((report) => report.status_code !== undefined || report.error !== undefined, {
    error: "must have status_code or error",
  })
  .openapi("PullReport");

export type PullReport = z.infer<typeof reportSchema>;

export const ackRequest = z
  .strictObject({
    results: z
      .array(reportSchema)
      .min(1)
      .max(MAX_DELIVERIES)
      .superRefine(refuseTokenTwice)
      .openapi({ description: "What became of each delivery" }),
  })
  .openapi("AckRequest");

function refuseTokenTwice(reports: readonly PullReport[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [index, { token }] of reports.entries()) {
    if (seen.has(token))
      context.addIssue({ code: "custom", message: "is in the list already", path: [index, "token"] });
    seen.add(token);
  }
}

export const extendRequest = z
  .strictObject({
    tokens: z
      .array(givenToken)
      .min(1)
      .max(MAX_DELIVERIES)
      .apply(withoutRepeats)
      .openapi({ description: "The deliveries that need more time" }),
    lease_seconds: leaseSeconds.default(LEASE_SECONDS).openapi({ description: "From now" }),
  })
  .openapi("ExtendRequest");

const code = orNull(z.enum(["lease_lost", "not_found"]).openapi("PullFault")).openapi({
  description:
    "Null when all is well. `lease_lost`: the lease ran out, and somebody else has the delivery or has finished it, so that " +
    "this changed nothing. `not_found`: the target has no such delivery.",
});

export const ackAnswer = z
  .object({
    results: z.array(
      z
        .object({
          token: shownToken,
          code,
          status: orNull(deliveryStatus).openapi({
            description: "The status of the delivery now; null if there is none",
          }),
          next_attempt_at: instant.nullable().openapi({ description: "When it is due again; null if it is finished" }),
        })
        .openapi("AckResult"),
    ),
  })
  .openapi("AckAnswer");

export const extendAnswer = z
  .object({
    results: z.array(
      z
        .object({
          token: shownToken,
          code,
          lease_expires_at: instant.nullable().openapi({ description: "Null if the lease is lost" }),
        })
        .openapi("ExtendResult"),
    ),
  })
  .openapi("ExtendAnswer");
