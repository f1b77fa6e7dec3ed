// Verifies a request for its source, with what the signatures package does not fetch itself: the key set of a dynamic
// source, and newer secrets or keys when no known one matches.

import { DEFAULT_JWKS_URI } from "@sluice/signature/jwks";
import { type PlausibleHeaders, type Verdict, verifySignatures } from "@sluice/signature/verify";
import type { Source } from "@sluice/store/configuration/sources";

import type { JwksCache } from "./jwks-cache.ts";
import type { SourceLookup } from "./known-sources.ts";

export interface NewerKeys {
  keySets: JwksCache;
  sources: Pick<SourceLookup, "findNewer">;
}

export function judgeRequest(
  headers: PlausibleHeaders,
  body: Buffer,
  source: Source,
  { keySets, sources }: NewerKeys,
): Promise<Verdict> {
  return source.kind === "static"
    ? judgeStatic(headers, body, source, sources)
    : judgeDynamic(headers, body, source, keySets);
}

async function judgeStatic(
  headers: PlausibleHeaders,
  body: Buffer,
  source: Source,
  sources: NewerKeys["sources"],
): Promise<Verdict> {
  const verdict = await verifySignatures(headers, body, source);
  if (!mayNeedNewerSecret(verdict)) return verdict;
  // Another gateway may have rotated the secret a moment ago, and the sender may already sign with the new one.
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
  if (!mayNeedNewerKey(verdict)) return verdict;
  const newer = await keySets.refetch(uri, known);
  return newer === undefined ? verdict : verifySignatures(headers, body, { ...source, keySet: newer });
}

function mayNeedNewerSecret(verdict: Verdict): boolean {
  return verdict.kind === "refused" && (verdict.reason === "signature_mismatch" || verdict.reason === "no_secret");
}

/** The signature of `v1a` names no key, so an unknown key looks like a signature that does not match. */
function mayNeedNewerKey(verdict: Verdict): boolean {
  return verdict.kind === "refused" && (verdict.reason === "unknown_key" || verdict.reason === "signature_mismatch");
}
