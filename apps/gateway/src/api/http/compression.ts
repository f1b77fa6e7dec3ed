// Compresses answers with gzip when the caller accepts it and the body is large enough. This replaces Hono's own
// middleware, which also compresses small bodies and makes an ETag weak: `If-Match` compares strongly and would never
// match such a tag.

import { promisify } from "node:util";
import { gzip } from "node:zlib";

import type { MiddlewareHandler } from "hono";
import { parseAccept } from "hono/utils/accept";

import { GZIP_SUFFIX } from "./etag.ts";

/** A smaller body fits into one packet, compressed or not. */
const MIN_BYTES = 1_024;
/** The types of whole documents. A stream, such as server-sent events, is not compressed. */
const COMPRESSIBLE = /^(application\/(problem\+)?json|application\/javascript|text\/(plain|html|css|javascript))(;|$)/i;

const compress = promisify(gzip);

export const compressAnswers: MiddlewareHandler = async (c, next) => {
  await next();
  if (!COMPRESSIBLE.test(c.res.headers.get("content-type") ?? "") || c.res.headers.has("content-encoding")) return;
  c.header("vary", "Accept-Encoding", { append: true });
  if (!acceptsCoding(c.req.header("accept-encoding"), "gzip")) return;
  // MUST be read after c.header(), which replaces c.res by a new response.
  const { res } = c;
  const plain = Buffer.from(await res.arrayBuffer());
  const body = plain.length < MIN_BYTES ? plain : await compress(plain);
  const headers = new Headers(res.headers);
  headers.set("content-length", String(body.length));
  if (body !== plain) {
    headers.set("content-encoding", "gzip");
    const etag = headers.get("etag");
    if (etag !== null) headers.set("etag", `${etag.slice(0, -1)}${GZIP_SUFFIX}"`);
  }
  // Without this line, Hono would copy the headers of the uncompressed response over the new ones.
  c.res = undefined;
  c.res = new Response(body, { status: res.status, headers });
};

/** Whether a caller takes a coding (RFC 9110, 12.5.3). @param accepted the header Accept-Encoding. */
export function acceptsCoding(accepted: string | undefined, coding: "gzip" | "br"): boolean {
  if (accepted === undefined) return false;
  const given = parseAccept(accepted);
  const found = given.find(({ type }) => type.toLowerCase() === coding) ?? given.find(({ type }) => type === "*");
  return found !== undefined && found.q > 0;
}
