// Rotation: another secret or token for a source, and what becomes of the earlier ones, in one transaction that
// holds the source's row. MUST prune only here: the triggers count a DELETE of nothing as a change of the
// configuration, so that pruning while it is loaded would have it loaded again forever.

import { eq, sql } from "drizzle-orm";

import { SluiceError } from "../errors.ts";
import { type ingressTokens, type SourceKind, type sourceSecrets, sources } from "../schema.ts";
import type { Database } from "./database.ts";

/** What becomes of the secrets or tokens that are there. */
export type Previous = "keep" | "revoke_after_24h" | "revoke_immediately";

/** Gemini's own overlap, and as long as it retries. */
const OVERLAP = "24 hours";
/** Each is a try for every request of the source. */
const MAX_VALID = 10;

export type Transaction = Parameters<Parameters<Database["orm"]["transaction"]>[0]>[0];
type Owned = typeof sourceSecrets | typeof ingressTokens;

/** Locks a source until the transaction ends, and notes the change. @throws SluiceError `not_found`, `wrong_kind` */
export async function lockSource(tx: Transaction, id: string, kind: SourceKind): Promise<void> {
  const [row] = await tx
    .update(sources)
    .set({ updatedAt: sql`now()` })
    .where(eq(sources.id, id))
    .returning({ kind: sources.kind });
  if (row === undefined) throw sourceNotFound();
  if (row.kind !== kind) throw wrongKind(kind);
}

/** Makes room for another one. MUST run under {@link lockSource}. @throws SluiceError `limit_reached` */
export async function retire(tx: Transaction, table: Owned, sourceId: string, previous: Previous): Promise<void> {
  const isOfSource = sql`${table.sourceId} = ${sourceId}`;
  await tx.execute(
    previous === "revoke_immediately"
      ? sql`DELETE FROM ${table} WHERE ${isOfSource}`
      : sql`DELETE FROM ${table} WHERE ${isOfSource} AND ${table.expiresAt} <= now()`,
  );
  if (previous === "revoke_after_24h") {
    // Those that have an expiry are of an earlier rotation, and end sooner.
    const end = sql`now() + ${OVERLAP}::interval`;
    await tx.execute(sql`UPDATE ${table} SET expires_at = ${end} WHERE ${isOfSource} AND ${table.expiresAt} IS NULL`);
  }
  const { rows } = await tx.execute<{ valid: number }>(
    sql`SELECT count(*)::integer AS valid FROM ${table} WHERE ${isOfSource}`,
  );
  if ((rows[0]?.valid ?? 0) < MAX_VALID) return;
  throw new SluiceError("limit_reached", `The source has ${MAX_VALID} that are valid, and may not have more`);
}

export const sourceNotFound = () => new SluiceError("not_found", "There is no source with this id");

/** @param kind the one that is needed. */
export const wrongKind = (kind: SourceKind) =>
  new SluiceError("wrong_kind", `This is for ${kind} sources, and the source is not one`);
