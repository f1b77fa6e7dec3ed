// Lists in which every entry must be different.

import type { z } from "@hono/zod-openapi";

/** A check for `superRefine`: reports each entry that equals an earlier one. */
export function refuseRepeats(list: readonly string[], context: z.RefinementCtx): void {
  for (const [index, entry] of list.entries()) {
    if (list.indexOf(entry) < index)
      context.addIssue({ code: "custom", message: "is in the list already", path: [index] });
  }
}
