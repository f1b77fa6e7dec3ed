// The filters of the log, as query parameters and as the store takes them. A filter has the same name and the same
// meaning on every list that has it.

import { z } from "@hono/zod-openapi";

import { type IdPrefix, parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { findSourceId } from "@sluice/store/configuration/sources";
import type { Database } from "@sluice/store/connection/database";
import type {
  AttemptFilter,
  DeliveryFilter,
  EventFilter,
  LabelFilter,
  MetadataFilter,
  OneOrMore,
} from "@sluice/store/log/log-filter";

import { idField } from "../openapi/endpoint.ts";
import { statusCodeParameter } from "./status-code-parameter.ts";

const instant = z
  .string()
  // The "+" of an offset arrives as a space when the client did not percent-encode it.
  .transform((text) => text.replace(/ (\d\d:\d\d)$/, "+$1"))
  .pipe(z.iso.datetime({ offset: true, error: "must be a time of RFC 3339 such as 2026-01-22T12:00:00Z" }))
  .transform((text) => Date.parse(text));

const timeParameter = (summary: string) =>
  instant.optional().openapi({
    type: "string",
    format: "date-time",
    description: `${summary}, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started.`,
    example: "2026-01-22T12:00:00Z",
  });

/** Both are parsed to milliseconds since 1970. */
export const timeParameters = {
  since: timeParameter("The start of the time range, included"),
  until: timeParameter("The end of the time range, not included"),
};

/** A text that is compared with a column. A text of PostgreSQL cannot hold a NUL. */
const textUpTo = (maxLength: number) =>
  z
    .string()
    .min(1)
    .max(maxLength)
    .refine((value) => !value.includes("\0"), "must not contain a NUL")
    .openapi({ pattern: "^[^\\x00]*$" });

const text = textUpTo(256);

const idFilter = (prefix: IdPrefix, resource: string) =>
  idField(prefix)
    .optional()
    .openapi({ description: `The id of ${resource}` });

export const sourceParameter = text
  .optional()
  .openapi({ description: "The id or the name of a source", example: "gemini" });

export const webhookIdParameter = text
  .optional()
  .openapi({ description: "The `webhook-id` that the sender set", example: "msg_p5jXN8AQM9LWM0D4loKWxJek" });

/** @param field names the text that is searched, with its article. */
export const errorParameter = (field: string) =>
  text
    .optional()
    .openapi({ description: `A text that ${field} contains, in upper or lower case`, example: "ECONNREFUSED" });

/** A label's name has at most 64 characters and no colon; its value has at most 256 characters. */
const MAX_LABEL_LENGTH = 64 + 1 + 256;
const MAX_METADATA_LENGTH = 256 + 1 + 256;

/** Each value is a condition of its own in the statements of a list. */
const MAX_VALUES = 10;

/**
 * One or several values, all of which must match. The parsed values are sorted and none is there twice: a cursor is bound to
 * the filters of its list, so the same values in another order must give the same filter.
 * @param one reads a value.
 * @param shown what the document says of a value.
 */
function allOfParameter<T extends object>(
  one: z.ZodType<T, string>,
  shown: { description: string; example: string; maxLength: number; pattern: string },
) {
  const { description, example, ...limits } = shown;
  return z
    .union([z.string(), z.array(z.string()).min(1)])
    .transform((given, context): OneOrMore<T> => {
      const list = [...new Set([given].flat())].toSorted();
      if (list.length > MAX_VALUES) {
        context.addIssue({ code: "custom", message: `must be at most ${MAX_VALUES} values` });
        return z.NEVER;
      }
      const parsed = list.map((value) => one.safeParse(value));
      const issues = parsed.flatMap(({ error }) => error?.issues ?? []);
      for (const issue of issues)
        context.addIssue({ ...issue, input: given } as Parameters<typeof context.addIssue>[0]);
      const [first, ...others] = parsed.flatMap(({ data }) => data ?? []);
      if (issues.length > 0 || first === undefined) return z.NEVER;
      return others.length === 0 ? first : [first, ...others];
    })
    .optional()
    .openapi({
      type: "array",
      minItems: 1,
      maxItems: MAX_VALUES,
      items: { type: "string", minLength: 1, ...limits },
      description: `${description} Repeat the parameter to match all of several values.`,
      example: [example],
    });
}

/** Filters by the event. On deliveries and attempts, they filter by the event that is delivered. */
export const eventParameters = {
  source: sourceParameter,
  event_type: text.optional().openapi({
    description:
      "An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of " +
      "one type.",
    example: "batch.succeeded",
  }),
  webhook_id: webhookIdParameter,
  data_id: text.optional().openapi({
    description: "`data.id` of the payload: the Gemini job that the event is about, with or without `batches/`",
    example: "batch_123456",
  }),
  label: allOfParameter(
    textUpTo(MAX_LABEL_LENGTH)
      .refine((value) => value.indexOf(":") > 0, "must be a label's name and value such as team:billing")
      .transform((value): LabelFilter => splitAt(value, ":")),
    {
      description: "A label of the callback URL that received the event, as name:value.",
      example: "team:billing",
      maxLength: MAX_LABEL_LENGTH,
      pattern: "^[^:\\x00]+:[^\\x00]*$",
    },
  ),
  user_metadata: allOfParameter(
    textUpTo(MAX_METADATA_LENGTH)
      .refine(
        (value) => !value.startsWith("="),
        "must be a key such as job, or a key and its value such as job=nightly",
      )
      .transform((value): MetadataFilter => (value.includes("=") ? splitAt(value, "=") : { key: value })),
    {
      description:
        "A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` " +
        "matches the number 1 and the text, and `n=null` the JSON null and the text.",
      example: "job=nightly",
      maxLength: MAX_METADATA_LENGTH,
      pattern: "^[^=\\x00][^\\x00]*$",
    },
  ),
};

/**
 * Filters by the delivery. On attempts, `status_code`, `error` and `min_attempts` are compared with the attempt itself.
 */
export const deliveryParameters = {
  ...eventParameters,
  event: idFilter("evt", "the event"),
  target: idFilter("tgt", "the target, which may be deleted"),
  status_code: statusCodeParameter,
  error: errorParameter("the error of the last attempt"),
  min_attempts: z
    .string()
    .regex(/^[1-9][0-9]{0,5}$/, "must be an integer from 1 to 999999")
    .transform(Number)
    .optional()
    .openapi({
      type: "integer",
      minimum: 1,
      maximum: 999_999,
      description: "The least number of attempts",
      example: 3,
    }),
};

export const deliveryParameter = idFilter("dlv", "the delivery");

/**
 * One or several of the given names. The parsed list is in the order of `names` and has no name twice: a cursor is
 * bound to the filters of its list, so the same names in another order must give the same filter.
 * @param what the plural noun for the names, for the error message.
 * @param description what the parameter filters by, for the OpenAPI document.
 */
export function anyOfParameter<Name extends string>(names: readonly Name[], what: string, description: string) {
  return z
    .union([z.string(), z.array(z.string())])
    .transform((given, context): Name[] => {
      const list: string[] = [given].flat();
      for (const name of new Set(list)) {
        if ((names as readonly string[]).includes(name)) continue;
        const message = `has ${JSON.stringify(name)}; the ${what} are ${names.join(", ")}`;
        context.addIssue({ code: "custom", message });
      }
      return names.filter((name) => list.includes(name));
    })
    .optional()
    .openapi({
      type: "array",
      items: { type: "string", enum: [...names] },
      description: `${description}. Repeat the parameter to match any of several values.`,
      example: names.slice(0, 1),
    });
}

type Parsed<Shape extends z.ZodRawShape> = z.infer<z.ZodObject<Shape>>;

/**
 * @param at the start of a fault's pointer: `?` for a query parameter, `/` for a field of a body.
 * @throws SluiceError `invalid_id`, or `invalid_request` when no source has the given name
 */
export async function readEventFilter(
  db: Database,
  query: Parsed<typeof eventParameters>,
  at: "?" | "/" = "?",
): Promise<EventFilter> {
  return {
    sourceId: await readSource(db, query.source, `${at}source`),
    eventType: query.event_type,
    webhookId: query.webhook_id,
    dataId: query.data_id,
    label: query.label,
    userMetadata: query.user_metadata,
  };
}

/** Like {@link readEventFilter}, with the filters that deliveries and attempts have in common. */
export async function readDeliveryFilter(
  db: Database,
  query: Parsed<typeof deliveryParameters>,
  at: "?" | "/" = "?",
): Promise<Omit<DeliveryFilter, "statuses"> & AttemptFilter> {
  return {
    ...(await readEventFilter(db, query, at)),
    eventId: readFilterId("evt", query.event, `${at}event`),
    targetId: readFilterId("tgt", query.target, `${at}target`),
    statusCode: query.status_code,
    errorText: query.error,
    minAttempts: query.min_attempts,
  };
}

/** @throws SluiceError `invalid_id` */
export function readFilterId(prefix: IdPrefix, given: string | undefined, field: string): string | undefined {
  return given === undefined ? undefined : parseId(prefix, given, field);
}

/**
 * The id of the source that a filter names. A name must be that of a source. An id may be that of a deleted source,
 * because the log of a deleted source stays.
 * @throws SluiceError `invalid_id`, or `invalid_request` when no source has the given name
 */
export async function readSource(
  db: Database,
  given: string | undefined,
  pointer = "?source",
): Promise<string | undefined> {
  if (given === undefined) return undefined;
  if (given.startsWith("src_")) return parseId("src", given, pointer);
  const id = await findSourceId(db, given);
  if (id !== undefined) return id;
  throw new SluiceError("invalid_request", `There is no source named "${given}"`, {
    faults: [{ pointer, detail: "must be the name or the id of a source" }],
  });
}

function splitAt(pair: string, separator: string): { key: string; value: string } {
  const at = pair.indexOf(separator);
  return { key: pair.slice(0, at), value: pair.slice(at + 1) };
}
