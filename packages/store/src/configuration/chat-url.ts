// The URL of the incoming webhook of a chat service. It is a secret: whoever knows it can write to the channel. Only its
// origin is in `uri`, which is all that lists, logs and the audit trail have of a target's address.

import type { MasterKey } from "@sluice/shared/settings/master-key";

export function sealChatUrl(masterKey: MasterKey, targetId: string, url: string | null): Buffer | null {
  return url === null ? null : masterKey.encrypt(url, ownerOfUrl(targetId));
}

/** @throws SluiceError `master_key_mismatch` */
export function openChatUrl(masterKey: MasterKey, targetId: string, sealed: Buffer | null): string | null {
  return sealed === null ? null : masterKey.decrypt(sealed, ownerOfUrl(targetId));
}

/** Not the id alone, which the headers are bound to: a ciphertext that somebody copies to the other column is no URL. */
const ownerOfUrl = (targetId: string) => `${targetId} chat url`;
