// Lists in which an entry that is given twice is a mistake.

import type { z } from "@hono/zod-openapi";

/** For `superRefine`: names each entry that equals an earlier one. */
export function refuseRepeats(list: readonly string[], context: z.RefinementCtx): void {
  for (const [index, entry] of list.entries()) {
    if (list.indexOf(entry) < index) context.addIssue({ code: "custom", message: "is there already", path: [index] });
  }
}
