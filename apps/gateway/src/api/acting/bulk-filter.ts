// The bodies of POST /v1/deliveries:retry, :cancel and /v1/events:replay: the filters of a list as fields of a JSON body.
// A body without any filter is refused, so that nobody changes the whole log by mistake.

import { z } from "@hono/zod-openapi";

import { DELIVERY_STATUSES } from "../log/delivery-schema.ts";
import { anyOfParameter, deliveryParameters, timeParameters } from "../log/filter-parameters.ts";
import { STATUS_CODE, statusCodeParameter } from "../log/status-code-parameter.ts";

/** A list of texts or numbers, as the texts that a query parameter with several values takes. */
const strings = z
  .array(z.preprocess((value) => (typeof value === "number" ? String(value) : value), z.string()))
  .min(1)
  .transform((list): string | string[] => list);

/** The fields of a body that are no filters. */
const OTHER_FIELDS = ["dry_run", "all", "targets", "match_subscription", "again"];

export const allField = z.literal(true).optional().openapi({
  description: "Required when no filter is given, so that the whole log is not taken by mistake",
  example: true,
});

export const bulkFields = {
  ...timeParameters,
  ...deliveryParameters,
  status_code: strings
    .pipe(statusCodeParameter.unwrap())
    .optional()
    .openapi({
      type: "array",
      minItems: 1,
      items: { type: "string", pattern: STATUS_CODE.source },
      description:
        "Any of these status codes of the last attempt: a code, a class such as `5xx`, or `none` when there was no " +
        "response",
      example: ["5xx", "none"],
    }),
  min_attempts: z
    .int()
    .min(1)
    .max(999_999)
    .optional()
    .openapi({ description: "The least number of attempts", example: 3 }),
  all: allField,
  dry_run: z
    .boolean()
    .default(false)
    .openapi({ description: "Only count the deliveries that match, and change nothing", example: true }),
};

export const statusField = strings
  .pipe(anyOfParameter(DELIVERY_STATUSES, "statuses", "The status of the delivery").unwrap())
  .optional()
  .openapi({
    type: "array",
    minItems: 1,
    items: { type: "string", enum: [...DELIVERY_STATUSES] },
    default: ["exhausted"],
    description:
      "Any of these statuses. When not given, only `exhausted`: deliveries that succeeded or were cancelled are " +
      "retried only when their status is given.",
    example: ["exhausted", "cancelled"],
  });

/** For `superRefine` of a body: adds an issue when the body has neither a filter nor `all`. */
export function requireFilter(body: object, context: z.RefinementCtx): void {
  const { all } = body as { all?: true };
  const hasFilter = Object.entries(body).some(([name, value]) => value !== undefined && !OTHER_FIELDS.includes(name));
  if (all === true || hasFilter) return;
  context.addIssue({ code: "custom", message: 'needs at least one filter, or "all": true' });
}

/** A valid body as the caller gave it, without `dry_run`. */
export function filtersOf(body: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([name]) => name !== "dry_run"));
}
