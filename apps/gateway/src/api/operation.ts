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

export function idParameter(example: string) {
  return z.object({ id: z.string().openapi({ example }) });
}

/** For an operation whose body may be left out: clients that set `content-type` on every POST leave it out too. */
export const takeEmptyBody: MiddlewareHandler = async (c, next) => {
  const isEmpty = c.req.raw.body === null || c.req.header("content-length") === "0";
  if (isEmpty && c.req.header("content-type") !== undefined)
    c.req.raw = new Request(c.req.raw, { method: c.req.method, body: "{}" });
  await next();
};
