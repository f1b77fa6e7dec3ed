// Text that PostgreSQL stores as it is: in `text` and `jsonb` it takes neither U+0000 nor half a surrogate pair.

import { z } from "@hono/zod-openapi";

/** A string without control characters. @param max in UTF-16 units. */
export function plainText(max: number) {
  return z
    .string()
    .max(max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, { error: "must not contain control characters or lone surrogates" });
}
