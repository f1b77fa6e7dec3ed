// Parts of the description of an endpoint that all resources use.

import { z } from "@hono/zod-openapi";

import { exampleId, idPattern, type IdPrefix } from "@sluice/shared/domain/ids";

import { headerReferences, type HeaderName } from "./response-headers.ts";

/** The query of an endpoint without parameters. A parameter that is sent anyway is refused by name. */
export const noParameters = z.strictObject({});

export function jsonBody<T extends z.ZodType>(schema: T) {
  return { required: true, content: { "application/json": { schema } } };
}

/** @param headers those that the handler always sets, in addition to the headers of every answer. */
export function jsonAnswer<T extends z.ZodType>(description: string, schema: T, ...headers: HeaderName[]) {
  return { description, headers: headerReferences(headers), content: { "application/json": { schema } } };
}

/** The body of requests and answers that say nothing: `{}`. */
export const emptyBody = z.strictObject({}).openapi("Empty");

/** The body of an endpoint that needs none: absent, `{}` or `null`. The endpoint MUST use {@link takeEmptyBody}. */
export const noBody = { content: { "application/json": { schema: emptyBody } } };

/** The id of a resource. The pattern is for readers: a wrong id of a request is refused by `parseId`, with its own code. */
export function idField(prefix: IdPrefix) {
  return z.string().openapi({ pattern: idPattern(prefix), example: exampleId(prefix) });
}

/** @param resource the resource with its article, such as "the target". */
export function idParameter(prefix: IdPrefix, resource: string) {
  return z.object({ id: idField(prefix).openapi({ description: `The id of ${resource}` }) });
}

/**
 * A value of a named schema, or null. It is a union, because `.nullable()` of a named schema would be described as a type
 * that no value has.
 */
export const orNull = <T extends z.ZodType>(schema: T) => z.union([schema, z.null()]);
