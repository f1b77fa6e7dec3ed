// The filters that the lists of the log have in common, as parameters and as the store takes them.

import { z } from "@hono/zod-openapi";
import { SluiceError } from "@sluice/shared/errors";
import { type IdPrefix, parseId } from "@sluice/shared/ids";
import type { Database } from "@sluice/shared/store/database";
import { findSourceId } from "@sluice/shared/store/sources";

const instant = z
  .string()
  // An offset's "+" that was not percent-encoded arrives as a space.
  .transform((text) => text.replace(/ (\d\d:\d\d)$/, "+$1"))
  .pipe(z.iso.datetime({ offset: true, error: "must be a time of RFC 3339 such as 2026-01-22T12:00:00Z" }))
  .transform((text) => Date.parse(text));

/** Milliseconds since 1970, once parsed. */
export const timeParameters = {
  since: instant.optional().openapi({ type: "string", format: "date-time", description: "Included" }),
  until: instant.optional().openapi({ type: "string", format: "date-time", description: "Not included" }),
};

/** A text that is compared with a column. PostgreSQL has no NUL in a text. */
const textOf = (maxLength: number) =>
  z
    .string()
    .min(1)
    .max(maxLength)
    .refine((value) => !value.includes("\0"), "must not contain a NUL");

const text = textOf(256);

export const eventParameters = {
  source: text.optional().openapi({ description: "The id or the name of a source", example: "gemini" }),
  webhook_id: text.optional(),
};

export const typeParameter = text
  .optional()
  .openapi({ description: "A type, or a group of them such as `batch.*`", example: "batch.succeeded" });

/** A name has no colon and at most 64 characters, a value at most 256. */
export const labelParameter = textOf(64 + 1 + 256)
  .refine((value) => value.indexOf(":") > 0, "must be a label's name and value such as team:billing")
  .transform((value) => ({ key: value.slice(0, value.indexOf(":")), value: value.slice(value.indexOf(":") + 1) }))
  .optional()
  .openapi({ type: "string", description: "A label, as name:value", example: "team:billing" });

/** @throws SluiceError `invalid_id` */
export function readFilterId(prefix: IdPrefix, given: string | undefined, field: string): string | undefined {
  return given === undefined ? undefined : parseId(prefix, given, field);
}

/** @throws SluiceError `invalid_request` for the name of no source. The id may be that of a deleted one, whose log stays. */
export async function readSource(
  db: Database,
  given: string | undefined,
  pointer = "?source",
): Promise<string | undefined> {
  if (given === undefined) return undefined;
  if (given.startsWith("src_")) return parseId("src", given, pointer);
  const id = await findSourceId(db, given);
  if (id !== undefined) return id;
  throw new SluiceError("invalid_request", `There is no source named "${given}"`, {
    faults: [{ pointer, detail: "must be the name or the id of a source" }],
  });
}
