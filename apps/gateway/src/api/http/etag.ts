// Strong ETags of single resources, with which a change can be made conditional (RFC 9110, 13.1). A tag has two parts:
// a hash of the fields that callers set, and a hash of all fields. `If-Match` compares the first part alone. The health
// of a busy target changes every minute, so a comparison of all fields would almost always fail.

import { createHash } from "node:crypto";

import type { Context, MiddlewareHandler } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";

import type { ApiEnv } from "./api-env.ts";

/** Characters of base64url; together more than 128 bits. */
const HASH_LENGTH = 22;

/** The end of the tag of a compressed answer: its bytes differ, so its tag must differ too (RFC 9110, 8.8.3.3). */
export const GZIP_SUFFIX = "-gzip";

/**
 * Sets the `ETag` of the answer. @returns `shown`, the resource as the answer shows it.
 * @param observed the fields that no caller sets.
 */
export function withEtag<T extends object>(c: Context<ApiEnv>, shown: T, observed?: readonly string[]): T {
  c.header("etag", etagOf(shown, observed));
  return shown;
}

/**
 * Compares `If-Match` with the resource as the API shows it now. MUST run in the transaction that holds the lock on the
 * resource. Otherwise two callers that read the same state could both pass, and one change would be lost.
 * @throws SluiceError `precondition_failed`
 */
export function requireMatch(c: Context<ApiEnv>, shown: object, observed?: readonly string[]): void {
  const condition = c.req.header("if-match");
  if (condition === undefined || condition.trim() === "*") return;
  const start = etagOf(shown, observed).slice(0, HASH_LENGTH + 2);
  // The comparison is strong: a weak tag, which begins with `W/`, never matches.
  if (tagsOf(condition).some((tag) => tag.startsWith(start))) return;
  throw new SluiceError("precondition_failed", "The resource has changed and does not match If-Match: read it again", {
    faults: [{ pointer: "If-Match", detail: `is not ${etagOf(shown, observed)}` }],
  });
}

/** Answers 304 when `If-None-Match` has the tag of the answer: the caller has this version already. */
export const answerNotModified: MiddlewareHandler<ApiEnv> = async (c, next) => {
  await next();
  const condition = c.req.header("if-none-match");
  const etag = c.res.headers.get("etag");
  const isRead = c.req.method === "GET" || c.req.method === "HEAD";
  if (!isRead || c.res.status !== 200 || condition === undefined || etag === null) return;
  if (!matches(condition.replaceAll("W/", ""), etag)) return;
  const { headers } = c.res;
  headers.delete("content-type");
  c.res = undefined;
  c.res = new Response(null, { status: 304, headers });
};

/** The fields that no caller sets: the relay observes them. */
const OBSERVED = ["health", "last_used_at", "last_pulled_at", "upstream"];

function etagOf(shown: object, observed: readonly string[] = OBSERVED): string {
  const set = Object.entries(shown).filter(([name]) => !observed.includes(name));
  return `"${hash(set)}.${hash(shown)}"`;
}

/** The tag of a file that is served as it is. */
export const etagOfFile = (content: Buffer): string =>
  `"${createHash("sha256").update(content).digest("base64url").slice(0, HASH_LENGTH)}"`;

const hash = (value: unknown) =>
  createHash("sha256").update(JSON.stringify(value)).digest("base64url").slice(0, HASH_LENGTH);

function matches(condition: string, etag: string): boolean {
  if (condition.trim() === "*") return true;
  const tags = tagsOf(condition);
  return tags.includes(etag) || tags.includes(`${etag.slice(0, -1)}${GZIP_SUFFIX}"`);
}

const tagsOf = (condition: string) => condition.split(",").map((tag) => tag.trim());
