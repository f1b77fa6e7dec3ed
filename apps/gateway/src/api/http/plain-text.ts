// Text that PostgreSQL can store: its types `text` and `jsonb` refuse U+0000 and a lone surrogate.

import { z } from "@hono/zod-openapi";

/** A string without control characters. @param max in UTF-16 units. */
export function plainText(max: number) {
  return z
    .string()
    .max(max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, { error: "must not contain control characters or lone surrogates" });
}
