// Text that PostgreSQL can store: its types `text` and `jsonb` refuse U+0000 and a lone surrogate.

import { z } from "@hono/zod-openapi";

/** No `\p{Cc}`: the document shows this pattern, and not every language reads that. */
// oxlint-disable-next-line no-control-regex -- it refuses them.
export const WITHOUT_CONTROLS = /^[^\x00-\x1f\x7f-\x9f]*$/u;

/** A string without control characters. @param max in UTF-16 units. */
export function plainText(max: number) {
  const error = "must not contain control characters or lone surrogates";
  return z
    .string()
    .max(max)
    .regex(WITHOUT_CONTROLS, { error })
    .refine((text) => text.isWellFormed(), error);
}
