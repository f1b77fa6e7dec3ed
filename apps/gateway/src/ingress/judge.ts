// Verification with what it needs from outside: the key set of a dynamic source, and one more look when a
// signature is by no known secret or key.

import { DEFAULT_JWKS_URI } from "@sluice/shared/signature/jwks";
import { type PlausibleHeaders, type Verdict, verifySignatures } from "@sluice/shared/signature/verify";
import { validKeys } from "@sluice/shared/store/secrets";
import type { Source } from "@sluice/shared/store/sources";

import type { JwksCache } from "./jwks-cache.ts";

export async function judge(
  headers: PlausibleHeaders,
  body: Buffer,
  source: Source,
  keySets: JwksCache,
  findNewer: () => Promise<Source | undefined>,
): Promise<Verdict> {
  const settings = { ...source, hmacKeys: validKeys(source.hmacKeys, headers.nowMs), keySet: undefined };
  if (source.kind === "static") {
    const verdict = await verifySignatures(headers, body, settings);
    if (verdict.kind !== "refused" || !mayBeNewSecret(verdict.reason)) return verdict;
    // Another gateway may have rotated it within the last moment, and the sender changed over at once.
    const newer = await findNewer();
    if (newer === undefined) return verdict;
    return verifySignatures(headers, body, { ...settings, hmacKeys: validKeys(newer.hmacKeys, headers.nowMs) });
  }
  const uri = source.jwksUri ?? DEFAULT_JWKS_URI;
  const known = await keySets.get(uri);
  const verdict = await verifySignatures(headers, body, { ...settings, keySet: known });
  if (verdict.kind !== "refused" || !mayBeNewKey(verdict.reason)) return verdict;
  const newer = await keySets.refetch(uri, known);
  return newer === undefined ? verdict : verifySignatures(headers, body, { ...settings, keySet: newer });
}

const mayBeNewSecret = (reason: string) => reason === "signature_mismatch" || reason === "no_secret";

/** `v1a` names no key, so by a key that is not known yet its signature just does not match. */
const mayBeNewKey = (reason: string) => reason === "unknown_key" || reason === "signature_mismatch";
