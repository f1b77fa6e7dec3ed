// Answers in gzip, where the caller takes it and it is worth it. Not by Hono's middleware: that compresses what is small
// too, and makes an ETag weak, with which no change can be made conditional any more.

import { promisify } from "node:util";
import { gzip } from "node:zlib";

import type { MiddlewareHandler } from "hono";
import { parseAccept } from "hono/utils/accept";

import { GZIP_SUFFIX } from "./etag.ts";

/** Below, it is one packet either way. */
const MIN_BYTES = 1_024;
/** Whole documents. A stream, such as server-sent events, passes as it is. */
const COMPRESSIBLE = /^(application\/(problem\+)?json|application\/javascript|text\/(plain|html|css|javascript))(;|$)/i;

const compress = promisify(gzip);

export const compressAnswers: MiddlewareHandler = async (c, next) => {
  await next();
  if (!COMPRESSIBLE.test(c.res.headers.get("content-type") ?? "") || c.res.headers.has("content-encoding")) return;
  c.header("vary", "Accept-Encoding", { append: true });
  if (!takesGzip(c.req.header("accept-encoding"))) return;
  // Not before: to set a header makes another response of it.
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
  // Or the headers of the answer before would be put over these.
  c.res = undefined;
  c.res = new Response(body, { status: res.status, headers });
};

/** RFC 9110, 12.5.3. */
function takesGzip(accepted: string | undefined): boolean {
  if (accepted === undefined) return false;
  const codings = parseAccept(accepted);
  const coding = codings.find(({ type }) => type.toLowerCase() === "gzip") ?? codings.find(({ type }) => type === "*");
  return coding !== undefined && coding.q > 0;
}
