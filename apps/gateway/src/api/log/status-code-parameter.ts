// The filter by HTTP status code: a code such as 503, a class such as 5xx, or `none` when there was no response.

import { z } from "@hono/zod-openapi";

import type { StatusCodeFilter } from "@sluice/store/log/log-filter";

export const STATUS_CODE = /^([1-5][0-9][0-9]|[1-5]xx|none)$/;

/**
 * The parsed codes are sorted and have no code twice: a cursor is bound to the filters of its list, so the same codes
 * in another order must give the same filter.
 */
export const statusCodeParameter = z
  .union([z.string(), z.array(z.string())])
  .transform((given, context): StatusCodeFilter => {
    const names = new Set([given].flat());
    for (const name of names) {
      if (STATUS_CODE.test(name)) continue;
      context.addIssue({
        code: "custom",
        message: `has ${JSON.stringify(name)}; it takes codes such as 503, 5xx, none`,
      });
    }
    const classes = [1, 2, 3, 4, 5].filter((each) => names.has(`${each}xx`));
    const codes = [...names].filter((name) => /^[0-9]+$/.test(name)).map(Number);
    return {
      // A code whose class is given too would add nothing.
      codes: codes.filter((code) => !classes.includes(Math.floor(code / 100))).toSorted((a, b) => a - b),
      classes,
      none: names.has("none"),
    };
  })
  .optional()
  .openapi({
    type: "array",
    items: { type: "string", pattern: STATUS_CODE.source },
    description:
      "The status code of the attempt, or of the last attempt of a delivery: a code, a class such as `5xx`, or " +
      "`none` when there was no response. Repeat the parameter to match any of several values.",
    example: ["5xx"],
  });
