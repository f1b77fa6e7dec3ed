// The headers that the relay sends to a target with every delivery. The API never shows a value again: any value can be
// a credential, and the name of a header does not tell.

import { z } from "@hono/zod-openapi";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { TargetHeaders } from "@sluice/store/configuration/targets";

import { namesLike, recordOf } from "../http/record.ts";

/** Shown in place of every value. A caller that sends it back keeps the stored value. */
const REDACTED = "[redacted]";

const MAX_HEADERS = 50;
/** The name of a header: RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;
/**
 * The value of a header: RFC 9110, 5.5. Latin1 is the only encoding on which HTTP/1.1 libraries agree. Control characters
 * are refused, except the tab.
 */
const VALUE = /^[\t\x20-\x7e\xa0-\xff]*$/;
const MAX_VALUE_LENGTH = 4_096;
const SET_BY_RELAY = /^(webhook-.*|sluice-.*|host|content-length|content-type|content-encoding)$/i;
/** Headers about the connection instead of the message (RFC 9110, 7.6.1), and `expect`, which undici refuses. */
const HOP_BY_HOP = /^(connection|proxy-connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect)$/i;

export const headersSchema = recordOf(z.string())
  .superRefine((headers, context) => {
    const names = Object.keys(headers);
    const refuse = (message: string, ...path: string[]) => context.addIssue({ code: "custom", message, path });
    if (names.length > MAX_HEADERS) refuse(`must have at most ${MAX_HEADERS} entries`);
    const seen = new Set<string>();
    for (const name of names) {
      const fault = findFault(name, headers[name] ?? "");
      if (fault !== undefined) refuse(fault, name);
      else if (seen.has(name.toLowerCase()))
        refuse("is given twice: upper and lower case do not matter in the name of a header", name);
      seen.add(name.toLowerCase());
    }
  })
  .openapi({
    type: "object",
    ...namesLike(TOKEN),
    additionalProperties: { type: "string", maxLength: MAX_VALUE_LENGTH, pattern: VALUE.source },
    maxProperties: MAX_HEADERS,
    example: { authorization: "Bearer key-of-the-service" },
    description: `Answers show every value as "${REDACTED}". If you send "${REDACTED}", the stored value stays.`,
  });

function findFault(name: string, value: string): string | undefined {
  if (!TOKEN.test(name)) return "must be the name of a header";
  if (SET_BY_RELAY.test(name)) return "is a header that the relay sets";
  if (HOP_BY_HOP.test(name)) return "is a header of the connection, which the relay manages";
  if (value.length > MAX_VALUE_LENGTH || !VALUE.test(value))
    return `must be at most ${MAX_VALUE_LENGTH} characters of latin1 without control characters`;
  return undefined;
}

export function redactHeaders(headers: TargetHeaders): TargetHeaders {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, REDACTED]));
}

/**
 * The stored headers that may go to an address. A value may be a credential for the service at the old address, and
 * whoever may change a target must not learn it by pointing the target elsewhere. So none goes to another origin.
 */
export function headersFor(current: { uri: string; headers: TargetHeaders }, uri: string): TargetHeaders {
  return new URL(uri).origin === new URL(current.uri).origin ? current.headers : {};
}

/**
 * The headers to store: each `[redacted]` is replaced by the stored value.
 * @throws SluiceError `invalid_request` for a `[redacted]` without a stored value.
 */
export function restoreHeaders(given: TargetHeaders, stored: TargetHeaders): TargetHeaders {
  const values = new Map(Object.entries(stored).map(([name, value]) => [name.toLowerCase(), value]));
  const restored = Object.entries(given).map(([name, value]): [string, string] => {
    if (value !== REDACTED) return [name, value];
    const kept = values.get(name.toLowerCase());
    if (kept !== undefined) return [name, kept];
    const detail = `is "${REDACTED}", which keeps the stored value, but there is none: a change of the origin of uri drops the values`;
    throw new SluiceError("invalid_request", `The header ${name} ${detail}`, {
      faults: [{ pointer: `/headers/${name.replaceAll("~", "~0")}`, detail }],
    });
  });
  return Object.fromEntries(restored);
}
