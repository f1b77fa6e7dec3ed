// Some endpoints let a request leave out its body. Such a request is handled as if its body were `{}`, and so is the body
// `null`, which the clients that generators make for Go and Java send.

import type { HonoRequest, MiddlewareHandler } from "hono";

const EMPTY = "{}";

/** Whether the headers announce a body: a request without these two headers has none (RFC 9112, 6.3). */
export function announcesBody(request: HonoRequest): boolean {
  const { "content-length": length = "0", "transfer-encoding": coding } = request.header();
  return length !== "0" || coding !== undefined;
}

/** Whether a body says no more than `{}`. */
export const isEmptyBody = (text: string): boolean => ["", "null", EMPTY].includes(text.trim());

/**
 * The middleware of an endpoint whose body may be left out. `required: false` in the endpoint's description is no
 * substitute: with it, a body of another content type would be ignored instead of refused.
 */
export const takeEmptyBody: MiddlewareHandler = async (c, next) => {
  // The server gives every POST a body stream, even when nothing was sent, so the headers are checked as well.
  const text = announcesBody(c.req) ? await c.req.text() : "";
  if (isEmptyBody(text)) {
    // The endpoint reads the other headers, such as If-Match.
    const headers = new Headers(c.req.raw.headers);
    if (text.trim() === "") headers.set("content-type", "application/json");
    c.req.raw = new Request(c.req.url, { method: c.req.method, headers, body: EMPTY });
    // Hono would go on with the body that was read.
    c.req.bodyCache = {};
  }
  await next();
};
