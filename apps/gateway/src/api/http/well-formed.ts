// Every JSON answer can be read by every parser. JSON.stringify writes half a character, a lone surrogate, as an escape
// such as `\ud83d`; jq and many other parsers refuse it. An answer can hold one because the body of an event may.

import type { MiddlewareHandler } from "hono";

import { isJsonType } from "./json-type.ts";

/** JSON.stringify escapes no surrogate of a pair, so that each escape of one stands for half a character. */
const MAYBE_LONE = /\\ud[89a-f]/;
const ESCAPE = /\\(?:u([0-9a-f]{4})|.)/g;

export const answerWellFormed: MiddlewareHandler = async (c, next) => {
  await next();
  // A download, such as the body of an event, is sent byte for byte.
  const isDownload = c.res.headers.has("content-disposition");
  if (isDownload || !isJsonType(c.res.headers.get("content-type"))) return;
  const text = await c.res.clone().text();
  if (!MAYBE_LONE.test(text)) return;
  const { status, headers } = c.res;
  // Without this line, Hono would merge the headers of both responses.
  c.res = undefined;
  c.res = new Response(replaceLone(text), { status, headers });
};

/** @param json as JSON.stringify writes it. */
export const replaceLone = (json: string): string =>
  json.replaceAll(ESCAPE, (escape, unit: string | undefined) =>
    unit !== undefined && /^d[89a-f]/.test(unit) ? "\u{FFFD}" : escape,
  );
