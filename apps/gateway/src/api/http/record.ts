// Objects whose field names the caller chooses, such as headers and labels.

import { z } from "@hono/zod-openapi";

/** For the document: the form of the names. */
export const namesLike = ({ source: pattern }: RegExp): object => ({ propertyNames: { pattern } });

export function recordOf<T extends z.ZodType>(value: T) {
  return z
    .unknown()
    .superRefine((given, context) => {
      // zod silently drops a field with this name from a record, so it is refused here.
      if (typeof given !== "object" || given === null || !Object.hasOwn(given, "__proto__")) return;
      context.addIssue({ code: "custom", message: "is a name that cannot be used", path: ["__proto__"] });
    })
    .pipe(z.record(z.string(), value));
}
