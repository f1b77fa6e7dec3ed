// Rotation: another secret or token for a source or a target, and what becomes of the earlier ones, in one transaction
// that holds the owner's row. MUST prune only here: the triggers count a DELETE of nothing as a change of the
// configuration, so that pruning while it is loaded would have it loaded again forever.

import { eq, sql } from "drizzle-orm";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { type ingressTokens, type SourceKind, type sourceSecrets, sources, type targetSecrets } from "../schema.ts";
import { type SigningSecret, validKeys } from "@sluice/signature/secret";
import type { Database } from "../connection/database.ts";
import { openSecret } from "./secrets.ts";

/** What becomes of the secrets or tokens that are there. */
export type Previous = "keep" | "revoke_after_24h" | "revoke_immediately";

/** Gemini's own overlap, and as long as it retries. */
const OVERLAP = "24 hours";
/** Each is a try for every request of a source, and a signature of every attempt at a target. */
const MAX_VALID = 10;

export type Transaction = Parameters<Parameters<Database["orm"]["transaction"]>[0]>[0];
type Secrets = typeof sourceSecrets | typeof targetSecrets;
type Owned = Secrets | typeof ingressTokens;

/** Locks a source until the transaction ends, and notes the change. @throws SluiceError `not_found`, `wrong_kind` */
export async function lockSourceOfKind(tx: Transaction, id: string, kind: SourceKind): Promise<void> {
  const [row] = await tx
    .update(sources)
    .set({ updatedAt: sql`now()` })
    .where(eq(sources.id, id))
    .returning({ kind: sources.kind });
  if (row === undefined) throw sourceNotFound();
  if (row.kind !== kind) throw wrongKind(kind);
}

/** Makes room for another one. MUST run in the transaction that locked its owner. @throws SluiceError `limit_reached` */
export async function retire(tx: Transaction, table: Owned, ownerId: string, previous: Previous): Promise<void> {
  const isOwned = sql`${ownerOf(table)} = ${ownerId}`;
  await tx.execute(
    previous === "revoke_immediately"
      ? sql`DELETE FROM ${table} WHERE ${isOwned}`
      : sql`DELETE FROM ${table} WHERE ${isOwned} AND ${table.expiresAt} <= now()`,
  );
  if (previous === "revoke_after_24h") {
    // Those that have an expiry are of an earlier rotation, and end sooner.
    const end = sql`now() + ${OVERLAP}::interval`;
    await tx.execute(sql`UPDATE ${table} SET expires_at = ${end} WHERE ${isOwned} AND ${table.expiresAt} IS NULL`);
  }
  const { rows } = await tx.execute<{ valid: number }>(
    sql`SELECT count(*)::integer AS valid FROM ${table} WHERE ${isOwned}`,
  );
  if ((rows[0]?.valid ?? 0) < MAX_VALID) return;
  throw new SluiceError("limit_reached", `There are ${MAX_VALID} that are valid, and there may not be more`);
}

/**
 * As {@link retire}, for a signing secret that comes in the place of others.
 * @throws SluiceError `limit_reached`, and `invalid_request` for a secret that is valid already.
 */
export async function retireSecrets(
  tx: Transaction,
  masterKey: MasterKey,
  table: Secrets,
  ownerId: string,
  next: SigningSecret,
  previous: Exclude<Previous, "keep">,
): Promise<void> {
  const rows = await tx
    .select()
    .from(table)
    .where(eq(ownerOf(table), ownerId));
  const opened = rows.map((row) => openSecret(masterKey, ownerId, row));
  // It would get an expiry and none at once; and "rotate to the same" is always a mistake.
  if (validKeys(opened, Date.now()).some(({ key }) => key.equals(next.key)))
    throw secretKnown("is one of its secrets already");
  await retire(tx, table, ownerId, previous);
}

const ownerOf = (table: Owned) => ("sourceId" in table ? table.sourceId : table.targetId);

export const secretKnown = (detail: string) =>
  new SluiceError("invalid_request", `The secret ${detail}`, { faults: [{ pointer: "/secret", detail }] });

export const sourceNotFound = () => new SluiceError("not_found", "There is no source with this id");

/** @param kind the one that is needed. */
export const wrongKind = (kind: SourceKind) =>
  new SluiceError("wrong_kind", `This is for ${kind} sources, and the source is not one`);
