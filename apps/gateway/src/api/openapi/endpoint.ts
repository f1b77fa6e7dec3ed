// The parts that the endpoints of all resources are described with.

import { z } from "@hono/zod-openapi";

/** The query of an endpoint that takes no parameters, so that one that is given is refused by name. */
export const noParameters = z.strictObject({});

export function jsonBody<T extends z.ZodType>(schema: T) {
  return { required: true, content: { "application/json": { schema } } };
}

export function jsonAnswer<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { "application/json": { schema } } };
}

/** Of an endpoint that takes none: an empty object will do. MUST come with {@link takeEmptyBody}. */
export const noBody = { content: { "application/json": { schema: z.strictObject({}) } } };

export function idParameter(example: string) {
  return z.object({ id: z.string().openapi({ example }) });
}
