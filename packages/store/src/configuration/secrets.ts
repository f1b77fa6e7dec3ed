// Signing secrets of sources and targets as rows: encrypted, shown only in their truncated form, and with an expiry
// while a rotation overlaps.

import { newId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { type HmacKey, readSigningSecret, type SigningSecret, truncateSecret } from "@sluice/signature/secret";

/** A secret as the API may show it. */
export interface SecretSummary {
  truncated: string;
  /** The end of the rotation's overlap; null while no rotation has replaced the secret. */
  expiresAt: Date | null;
}

export interface SecretRow extends SecretSummary {
  ciphertext: Buffer;
}

/** The columns of a new secret's row, without the owner's id. */
export function sealSecret(masterKey: MasterKey, ownerId: string, secret: SigningSecret) {
  return { id: newId(), ciphertext: masterKey.encrypt(secret.text, ownerId), truncated: truncateSecret(secret.text) };
}

export function openSecret(
  masterKey: MasterKey,
  ownerId: string,
  row: Pick<SecretRow, "ciphertext" | "expiresAt">,
): HmacKey {
  const read = readSigningSecret(masterKey.decrypt(row.ciphertext, ownerId));
  if (!("secret" in read)) throw new SluiceError("invalid_secret", `A stored secret of ${ownerId} ${read.fault}`);
  return { key: read.secret.key, expiresAtMs: row.expiresAt?.getTime() };
}
