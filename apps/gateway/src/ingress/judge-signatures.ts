// Verification with what it needs from outside: the key set of a dynamic source, and one more look when a
// signature is by no known secret or key.

import { DEFAULT_JWKS_URI } from "@sluice/signature/jwks";
import { type PlausibleHeaders, type Verdict, verifySignatures } from "@sluice/signature/verify";
import type { Source } from "@sluice/store/configuration/sources";

import type { JwksCache } from "./jwks-cache.ts";
import type { SourceLookup } from "./known-sources.ts";

type FindNewer = Pick<SourceLookup, "findNewer">;

export function judge(
  headers: PlausibleHeaders,
  body: Buffer,
  source: Source,
  keySets: JwksCache,
  sources: FindNewer,
): Verdict | Promise<Verdict> {
  if (source.kind === "dynamic") return judgeDynamic(headers, body, source, keySets);
  const verdict = verifySignatures(headers, body, source);
  if (!(verdict instanceof Promise) && verdict.kind === "accepted") return verdict;
  return judgeStaticAgain(verdict, headers, body, source, sources);
}

async function judgeStaticAgain(
  judging: Verdict | Promise<Verdict>,
  headers: PlausibleHeaders,
  body: Buffer,
  source: Source,
  sources: FindNewer,
): Promise<Verdict> {
  const verdict = await judging;
  if (verdict.kind !== "refused" || !mayBeNewSecret(verdict.reason)) return verdict;
  // Another gateway may have rotated it within the last moment, and the sender changed over at once.
  const newer = await sources.findNewer(source.name, source);
  return newer === undefined ? verdict : verifySignatures(headers, body, { ...source, hmacKeys: newer.hmacKeys });
}

async function judgeDynamic(
  headers: PlausibleHeaders,
  body: Buffer,
  source: Source,
  keySets: JwksCache,
): Promise<Verdict> {
  const uri = source.jwksUri ?? DEFAULT_JWKS_URI;
  const known = await keySets.get(uri);
  const verdict = await verifySignatures(headers, body, { ...source, keySet: known });
  if (verdict.kind !== "refused" || !mayBeNewKey(verdict.reason)) return verdict;
  const newer = await keySets.refetch(uri, known);
  return newer === undefined ? verdict : verifySignatures(headers, body, { ...source, keySet: newer });
}

const mayBeNewSecret = (reason: string) => reason === "signature_mismatch" || reason === "no_secret";

/** `v1a` names no key, so by a key that is not known yet its signature just does not match. */
const mayBeNewKey = (reason: string) => reason === "unknown_key" || reason === "signature_mismatch";
