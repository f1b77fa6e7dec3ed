// The filter of what is done to many deliveries: the parameters of GET /v1/deliveries as fields of a JSON body.

import { z } from "@hono/zod-openapi";

import { DELIVERY_STATUSES } from "../log/delivery-schema.ts";
import { anyOfParameter, deliveryParameters, timeParameters } from "../log/filter-parameters.ts";
import { statusCodeParameter } from "../log/status-code-parameter.ts";

/** A list, which a parameter of several values takes too. */
const strings = z
  .array(z.preprocess((value) => (typeof value === "number" ? String(value) : value), z.string()))
  .min(1)
  .transform((list): string | string[] => list);

/** What a body has beside its filters. */
const NO_FILTERS = ["dry_run", "all"];

export const bulkFields = {
  ...timeParameters,
  ...deliveryParameters,
  status_code: strings
    .pipe(statusCodeParameter.unwrap())
    .optional()
    .openapi({
      type: "array",
      minItems: 1,
      items: { type: "string" },
      description:
        "Any of these status codes of the last response: a code, a class such as `5xx`, or `none` where none came",
      example: ["5xx", "none"],
    }),
  min_attempts: z.int().min(1).max(999_999).optional().openapi({ description: "Attempts made, at least", example: 3 }),
  all: z.literal(true).optional().openapi({
    description: "Needed where no filter is given, so that nothing is done to the whole log by a slip",
    example: true,
  }),
  dry_run: z.boolean().default(false).openapi({ description: "Only count what matches", example: true }),
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
      "Any of these statuses. When not given, only what the relay gave up: what succeeded or was cancelled is not what a " +
      "retry of failures means, and is retried where it is named.",
    example: ["exhausted", "cancelled"],
  });

/** For `superRefine` of a body. */
export function requireFilter(body: object, context: z.RefinementCtx): void {
  const { all } = body as { all?: true };
  if (all === true || namesOfFilters(body).length > 0) return;
  context.addIssue({ code: "custom", message: 'needs at least one filter, or "all": true' });
}

const namesOfFilters = (body: object) =>
  Object.entries(body)
    .filter(([name, value]) => value !== undefined && !NO_FILTERS.includes(name))
    .map(([name]) => name);

/** The filters of a valid body, as they were given. */
export function filtersOf(body: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([name]) => name !== "dry_run"));
}
