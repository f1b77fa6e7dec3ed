// Signing secrets of static sources: replaced at once, or rotated with an overlap in which old and new verify.

import { eq } from "drizzle-orm";

import type { MasterKey } from "@sluice/shared/settings/master-key";
import { sourceSecrets } from "../schema.ts";
import type { SigningSecret } from "@sluice/signature/secret";
import type { Connection } from "../connection/database.ts";
import { lockSourceOfKind, type Previous, retireSecrets, type Transaction } from "./rotation.ts";
import { sealSecret } from "./secrets.ts";

/** MUST run in the transaction that made or locked the source. */
export async function insertSourceSecret(
  tx: Transaction,
  masterKey: MasterKey,
  sourceId: string,
  secret: SigningSecret,
): Promise<void> {
  await tx.insert(sourceSecrets).values({ ...sealSecret(masterKey, sourceId, secret), sourceId });
}

/** Puts a secret in the place of all others. MUST run in the transaction that locked the source. */
export async function replaceSourceSecrets(
  tx: Transaction,
  masterKey: MasterKey,
  sourceId: string,
  secret: SigningSecret,
): Promise<void> {
  await tx.delete(sourceSecrets).where(eq(sourceSecrets.sourceId, sourceId));
  await insertSourceSecret(tx, masterKey, sourceId, secret);
}

/** @throws SluiceError `not_found`, `wrong_kind`, `limit_reached`, and `invalid_request` for a secret that it has. */
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
