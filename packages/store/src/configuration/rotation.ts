// Rotation: a source or a target gets another secret or token, and the earlier ones end, in one transaction that locks
// the owner's row. MUST delete expired ones only here, and never while the configuration is loaded: the triggers count
// every DELETE as a change of the configuration, also one that deletes nothing, so that each load would cause the next.

import { eq, sql } from "drizzle-orm";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { type SigningSecret, validKeys } from "@sluice/signature/secret";

import type { Transaction } from "../connection/database.ts";
import { type ingressTokens, type SourceKind, type sourceSecrets, sources, type targetSecrets } from "../schema.ts";
import { openSecret } from "./secrets.ts";

/** What a rotation does with the earlier secrets or tokens. */
export type Previous = "keep" | "revoke_after_24h" | "revoke_immediately";

/** Gemini's own overlap, which is as long as it retries. */
const OVERLAP = "24 hours";
/** Each valid one costs a comparison for every request of a source, or a signature for every attempt at a target. */
const MAX_VALID = 10;

type Secrets = typeof sourceSecrets | typeof targetSecrets;
type Owned = Secrets | typeof ingressTokens;

/** Locks a source until the transaction ends, and sets `updated_at`. @throws SluiceError `not_found`, `wrong_kind` */
export async function lockSourceOfKind(tx: Transaction, id: string, kind: SourceKind): Promise<void> {
  const [row] = await tx
    .update(sources)
    .set({ updatedAt: sql`now()` })
    .where(eq(sources.id, id))
    .returning({ kind: sources.kind });
  if (row === undefined) throw sourceNotFound();
  if (row.kind !== kind) throw wrongKind(kind);
}

/**
 * Ends the earlier secrets or tokens of an owner as `previous` says, before the owner gets another one. Deletes those
 * that have expired. MUST run in the transaction that locked the owner.
 * @throws SluiceError `limit_reached`
 */
export async function retirePrevious(
  tx: Transaction,
  table: Owned,
  ownerId: string,
  previous: Previous,
): Promise<void> {
  const isOwned = sql`${ownerOf(table)} = ${ownerId}`;
  await tx.execute(
    previous === "revoke_immediately"
      ? sql`DELETE FROM ${table} WHERE ${isOwned}`
      : sql`DELETE FROM ${table} WHERE ${isOwned} AND ${table.expiresAt} <= now()`,
  );
  if (previous === "revoke_after_24h") {
    // A row that has an expiry got it from an earlier rotation, and ends sooner.
    const end = sql`now() + ${OVERLAP}::interval`;
    await tx.execute(sql`UPDATE ${table} SET expires_at = ${end} WHERE ${isOwned} AND ${table.expiresAt} IS NULL`);
  }
  const { rows } = await tx.execute<{ valid: number }>(
    sql`SELECT count(*)::integer AS valid FROM ${table} WHERE ${isOwned}`,
  );
  if ((rows[0]?.valid ?? 0) < MAX_VALID) return;
  throw new SluiceError(
    "limit_reached",
    `${MAX_VALID} are valid, which is the limit; revoke the earlier ones immediately`,
  );
}

/**
 * Does what {@link retirePrevious} does, before a signing secret replaces others.
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
  // The same secret would be stored twice, once with an expiry and once without. A rotation to the same secret is
  // always a mistake.
  if (validKeys(opened, Date.now()).some(({ key }) => key.equals(next.key))) {
    throw secretKnown("is one of its secrets already");
  }
  await retirePrevious(tx, table, ownerId, previous);
}

const ownerOf = (table: Owned) => ("sourceId" in table ? table.sourceId : table.targetId);

export const secretKnown = (detail: string) =>
  new SluiceError("invalid_request", `The secret ${detail}`, { faults: [{ pointer: "/secret", detail }] });

export const sourceNotFound = () => new SluiceError("not_found", "There is no source with this id");

/** @param kind the kind that the endpoint is for. */
export const wrongKind = (kind: SourceKind) =>
  new SluiceError("wrong_kind", `Only ${kind} sources support this request, and this source is not ${kind}`);
