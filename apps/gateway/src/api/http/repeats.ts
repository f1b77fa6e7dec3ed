// Lists in which every entry must be different.

import type { z } from "@hono/zod-openapi";

/** A list that reports each entry that equals an earlier one. */
export const withoutRepeats = <T extends z.ZodType<readonly string[], readonly string[]>>(list: T): T =>
  list.superRefine(refuseRepeats).openapi({ uniqueItems: true });

function refuseRepeats(list: readonly string[], context: z.RefinementCtx): void {
  for (const [index, entry] of list.entries()) {
    if (list.indexOf(entry) < index)
      context.addIssue({ code: "custom", message: "is in the list already", path: [index] });
  }
}
