// Status codes as a filter names them: 503, all of 5xx, or none where no response came.

import { z } from "@hono/zod-openapi";

import type { StatusCodeFilter } from "@sluice/store/log/log-filter";

const CODE = /^([1-5][0-9][0-9]|[1-5]xx|none)$/;

/** In a fixed order and once each, because a cursor is bound to them. */
export const statusCodeParameter = z
  .union([z.string(), z.array(z.string())])
  .transform((given, context): StatusCodeFilter => {
    const names = new Set([given].flat());
    for (const name of names) {
      if (CODE.test(name)) continue;
      context.addIssue({
        code: "custom",
        message: `has ${JSON.stringify(name)}; it takes codes such as 503, 5xx, none`,
      });
    }
    const classes = [1, 2, 3, 4, 5].filter((each) => names.has(`${each}xx`));
    const codes = [...names].filter((name) => /^[0-9]+$/.test(name)).map(Number);
    return {
      // A code of a class that is named too adds nothing.
      codes: codes.filter((code) => !classes.includes(Math.floor(code / 100))).toSorted((a, b) => a - b),
      classes,
      none: names.has("none"),
    };
  })
  .optional()
  .openapi({
    type: "array",
    items: { type: "string", pattern: CODE.source },
    description:
      "The status code of the (last) response: a code, a class such as `5xx`, or `none` where no response came; repeat " +
      "the parameter for any of several",
    example: ["5xx"],
  });
