// The filters of the log, as parameters and as the store takes them: one name for one thing, on every list that has it.

import { z } from "@hono/zod-openapi";

import { type IdPrefix, parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { findSourceId } from "@sluice/store/configuration/sources";
import type { Database } from "@sluice/store/connection/database";
import type { AttemptFilter, DeliveryFilter, EventFilter } from "@sluice/store/log/log-filter";

import { statusCodeParameter } from "./status-code-parameter.ts";

const instant = z
  .string()
  // An offset's "+" that was not percent-encoded arrives as a space.
  .transform((text) => text.replace(/ (\d\d:\d\d)$/, "+$1"))
  .pipe(z.iso.datetime({ offset: true, error: "must be a time of RFC 3339 such as 2026-01-22T12:00:00Z" }))
  .transform((text) => Date.parse(text));

const timeParameter = (summary: string) =>
  instant.optional().openapi({
    type: "string",
    format: "date-time",
    description: `${summary}, of RFC 3339. The time of a row is that of its id: when it came, or was made.`,
    example: "2026-01-22T12:00:00Z",
  });

/** Milliseconds since 1970, once parsed. */
export const timeParameters = {
  since: timeParameter("The first instant, included"),
  until: timeParameter("The last instant, not included"),
};

/** A text that is compared with a column. PostgreSQL has no NUL in a text. */
const textOf = (maxLength: number) =>
  z
    .string()
    .min(1)
    .max(maxLength)
    .refine((value) => !value.includes("\0"), "must not contain a NUL");

const text = textOf(256);

const idOf = (prefix: IdPrefix, of: string) =>
  z
    .string()
    .optional()
    .openapi({ description: `The id of ${of}`, example: `${prefix}_01h455vb4pex5vsknk084sn02q` });

export const sourceParameter = text
  .optional()
  .openapi({ description: "The id or the name of a source", example: "gemini" });

export const webhookIdParameter = text
  .optional()
  .openapi({ description: "The `webhook-id` that the sender gave", example: "msg_p5jXN8AQM9LWM0D4loKWxJek" });

export const errorParameter = (of: string) =>
  text.optional().openapi({ description: `Contained in ${of}, in upper or lower case`, example: "ECONNREFUSED" });

/** Of the event; on deliveries and attempts, of the event that they carry. */
export const eventParameters = {
  source: sourceParameter,
  event_type: text.optional().openapi({
    description:
      "A type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are one type with two names.",
    example: "batch.succeeded",
  }),
  webhook_id: webhookIdParameter,
  data_id: text.optional().openapi({
    description: "`data.id` of the payload: the job of Gemini's that the event is about",
    example: "batch_123456",
  }),
  /** A name has no colon and at most 64 characters, a value at most 256. */
  label: textOf(64 + 1 + 256)
    .refine((value) => value.indexOf(":") > 0, "must be a label's name and value such as team:billing")
    .transform((value) => splitAt(value, ":"))
    .optional()
    .openapi({
      type: "string",
      description: "A label of the callback URL that the event came by, as name:value",
      example: "team:billing",
    }),
  user_metadata: textOf(256 + 1 + 256)
    .refine((value) => !value.startsWith("="), "must be a key such as job, or a key and its value such as job=nightly")
    .transform((value) => (value.includes("=") ? splitAt(value, "=") : { key: value }))
    .optional()
    .openapi({
      type: "string",
      description: "A key of the `user_metadata` at its top level, or a key and its value as key=value",
      example: "job=nightly",
    }),
};

/** Of the delivery; on attempts, of each attempt by itself. */
export const deliveryParameters = {
  ...eventParameters,
  event: idOf("evt", "the event"),
  target: idOf("tgt", "the target, also of one that was deleted"),
  status_code: statusCodeParameter,
  error: errorParameter("the error of the last attempt"),
  min_attempts: z
    .string()
    .regex(/^[1-9][0-9]{0,5}$/, "must be an integer from 1 to 999999")
    .transform(Number)
    .optional()
    .openapi({ type: "integer", minimum: 1, maximum: 999_999, description: "Attempts made, at least", example: 3 }),
};

export const deliveryParameter = idOf("dlv", "the delivery");

/** Any of the names; in a fixed order and once each, because a cursor is bound to them. */
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
      description: `${description}; repeat the parameter for any of several`,
      example: names.slice(0, 1),
    });
}

type Parsed<Shape extends z.ZodRawShape> = z.infer<z.ZodObject<Shape>>;

/**
 * @param at what a fault's pointer begins with: `?`, or `/` for a body.
 * @throws SluiceError `invalid_id`, or `invalid_request` for the name of no source
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

/** Like {@link readEventFilter}, with what deliveries and attempts have in common. */
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

/** @throws SluiceError `invalid_request` for the name of no source. The id may be that of a deleted one, whose log stays. */
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
