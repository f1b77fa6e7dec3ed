// Signing secrets of static sources: replaced at once, or rotated with an overlap in which old and new ones verify.

import { eq } from "drizzle-orm";

import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { SigningSecret } from "@sluice/signature/secret";

import type { Connection, Transaction } from "../connection/database.ts";
import { sourceSecrets } from "../schema.ts";
import { lockSourceOfKind, type Previous, retireSecrets } from "./rotation.ts";
import { openSecret, sealSecret, type SecretRow } from "./secrets.ts";

/** MUST run in the transaction that made or locked the source. */
export async function insertSourceSecret(
  tx: Transaction,
  masterKey: MasterKey,
  sourceId: string,
  secret: SigningSecret,
): Promise<void> {
  await tx.insert(sourceSecrets).values({ ...sealSecret(masterKey, sourceId, secret), sourceId });
}

/** Replaces all secrets of a source by one. MUST run in the transaction that locked the source. */
export async function replaceSourceSecrets(
  tx: Transaction,
  masterKey: MasterKey,
  sourceId: string,
  secret: SigningSecret,
): Promise<void> {
  await tx.delete(sourceSecrets).where(eq(sourceSecrets.sourceId, sourceId));
  await insertSourceSecret(tx, masterKey, sourceId, secret);
}

/** Whether a source has this secret and no other, and no rotation ends it. */
export function isOnlySecret(
  masterKey: MasterKey,
  sourceId: string,
  stored: readonly SecretRow[],
  secret: SigningSecret,
): boolean {
  return (
    stored.length === 1 &&
    stored.every((row) => row.expiresAt === null && openSecret(masterKey, sourceId, row).key.equals(secret.key))
  );
}

/**
 * @throws SluiceError `not_found`, `wrong_kind`, `limit_reached`, and `invalid_request` for a secret that is valid
 * already.
 */
export async function rotateSourceSecret(
  db: Connection,
  masterKey: MasterKey,
  sourceId: string,
  secret: SigningSecret,
  previous: Exclude<Previous, "keep">,
): Promise<void> {
  await db.orm.transaction(async (tx) => {
    await lockSourceOfKind(tx, sourceId, "static");
    await retireSecrets(tx, masterKey, sourceSecrets, sourceId, secret, previous);
    await insertSourceSecret(tx, masterKey, sourceId, secret);
  });
}
