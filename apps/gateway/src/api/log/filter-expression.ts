// A CEL expression over an event as a field of a body: the filter of a target, and of a replay of many events.

import { z } from "@hono/zod-openapi";

import { compileFilter, MAX_FILTER_LENGTH } from "@sluice/filter/compile";

export const filterExpression = z
  .string()
  .min(1, { abort: true })
  .max(MAX_FILTER_LENGTH, { abort: true })
  .superRefine((text, context) => {
    const compiled = compileFilter(text);
    if ("filter" in compiled) return;
    const { line, column } = compiled.position;
    context.addIssue({
      code: "custom",
      message: `must be a CEL expression that gives a bool: line ${line}, column ${column}: ${compiled.fault}`,
    });
  });

/** What an expression may use, for the description of a field. */
export const EXPRESSION_OVER =
  "A CEL expression over event.type, event.data, event.user_metadata, event.labels, event.body_unbound and source.";
