// The parts that the operations of all resources are described with.

import { z } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";

/** The query of an operation that takes no parameters, so that one that is given is refused by name. */
export const noParameters = z.strictObject({});

export function jsonBody<T extends z.ZodType>(schema: T) {
  return { required: true, content: { "application/json": { schema } } };
}

export function jsonAnswer<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { "application/json": { schema } } };
}

/** Of an operation that takes none: an empty object will do. MUST come with {@link takeEmptyBody}. */
export const noBody = { content: { "application/json": { schema: z.strictObject({}) } } };

export function idParameter(example: string) {
  return z.object({ id: z.string().openapi({ example }) });
}

/**
 * For an operation whose body may be left out, with a content type or without. Not by `required: false`: a body of
 * another content type would then count as none.
 */
export const takeEmptyBody: MiddlewareHandler = async (c, next) => {
  // A request with neither of these has no body (RFC 9112, 6.3), although that of a POST is a stream here.
  const { "content-length": length = "0", "transfer-encoding": coding } = c.req.header();
  if (c.req.raw.body === null || (length === "0" && coding === undefined)) {
    const headers = { "content-type": "application/json" };
    c.req.raw = new Request(c.req.url, { method: c.req.method, headers, body: "{}" });
  }
  await next();
};
