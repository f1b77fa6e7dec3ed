// Signing secrets of static sources: replaced at once, or rotated with an overlap in which old and new verify.

import { eq } from "drizzle-orm";

import { SluiceError } from "../errors.ts";
import type { MasterKey } from "../master-key.ts";
import { sourceSecrets } from "../schema.ts";
import type { SigningSecret } from "../signature/secret.ts";
import type { Connection } from "./database.ts";
import { lockSource, type Previous, retire, type Transaction } from "./rotation.ts";
import { openSecret, sealSecret } from "./secrets.ts";

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
    await lockSource(tx, sourceId, "static");
    const rows = await tx.select().from(sourceSecrets).where(eq(sourceSecrets.sourceId, sourceId));
    const nowMs = Date.now();
    const known = rows
      .filter(({ expiresAt }) => expiresAt === null || expiresAt.getTime() > nowMs)
      .some((row) => openSecret(masterKey, sourceId, row).key.equals(secret.key));
    // It would get an expiry and none at once; and "rotate to the same" is always a mistake.
    if (known) throw secretKnown("is a secret of this source already");
    await retire(tx, sourceSecrets, sourceId, previous);
    await insertSourceSecret(tx, masterKey, sourceId, secret);
  });
}

export const secretKnown = (detail: string) =>
  new SluiceError("invalid_request", `The secret ${detail}`, { faults: [{ pointer: "/secret", detail }] });
