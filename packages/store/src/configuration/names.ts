// Names of sources, targets and API keys: each is unique among its kind, compared character by character. For targets and
// keys, a trigger of PostgreSQL adds a number to a name that is taken, so that no statement of an older version fails.

import { eq, type SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";

import { SluiceError } from "@sluice/shared/runtime/errors";

/** What becomes of a name that another one has: an error, or the name with a number, such as `billing-2`. */
export type TakenName = "refuse" | "add_number";

/** How a caller names a source or a target: by its UUID, or by its name. */
export type Reference = string | { name: string };

export function isReferred(columns: { id: PgColumn; name: PgColumn }, reference: Reference): SQL {
  return typeof reference === "string" ? eq(columns.id, reference) : eq(columns.name, reference.name);
}

export function withName(column: PgColumn, name: string | undefined): SQL | undefined {
  return name === undefined ? undefined : eq(column, name);
}

/**
 * MUST be called in the transaction that wrote the name, because the row is there with another name.
 * @param stored the name with which PostgreSQL stored what was to be named `wanted`.
 * @throws SluiceError `name_taken`
 */
export function requireName(kind: "target" | "API key", wanted: string, stored: string | undefined): void {
  if (stored !== wanted) throw nameTaken(kind, wanted);
}

export const notFound = (kind: "source" | "target", reference: Reference) =>
  new SluiceError("not_found", `There is no ${kind} with this ${typeof reference === "string" ? "id" : "name"}`);

export function nameTaken(kind: "source" | "target" | "API key", name: string, cause?: unknown): SluiceError {
  return new SluiceError("name_taken", `There is already ${kind === "API key" ? "an" : "a"} ${kind} named "${name}"`, {
    faults: [{ pointer: "/name", detail: `is the name of another ${kind}` }],
    cause,
  });
}
