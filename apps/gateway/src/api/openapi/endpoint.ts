// Parts of the description of an endpoint that all resources use.

import { z } from "@hono/zod-openapi";

/** The query of an endpoint without parameters. A parameter that is sent anyway is refused by name. */
export const noParameters = z.strictObject({});

export function jsonBody<T extends z.ZodType>(schema: T) {
  return { required: true, content: { "application/json": { schema } } };
}

export function jsonAnswer<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { "application/json": { schema } } };
}

/** The body of an endpoint that needs none: absent, `{}` or `null`. The endpoint MUST use {@link takeEmptyBody}. */
export const noBody = { content: { "application/json": { schema: z.strictObject({}) } } };

export function idParameter(example: string) {
  return z.object({ id: z.string().openapi({ example }) });
}
