// Custom verbs: `POST /v1/deliveries/{id}:retry`. Hono cannot tell a parameter from a verb in one segment, so
// a request is routed as `/#retry/v1/deliveries/{id}`. The path of a request ends before a "#", and Hono
// leaves "%23" encoded, so that no request can name such a path itself.

import { getPath as getHonoPath } from "hono/utils/url";

// With the flag s, for Hono decodes "%0D", and a verb after it is one all the same.
const VERB = /^(.*\/[^/:]+)(?::|%3A)([A-Z][A-Z_-]*)$/is;

/** The path by which a request is routed; for Hono's option of this name. */
export function getPath(request: Request): string {
  const path = getHonoPath(request);
  const match = VERB.exec(path);
  return match === null ? path : `/#${match[2]}${match[1]}`;
}

/** `/v1/deliveries/{id}:retry` to the path by which its requests are routed. */
export function routedPath(path: string): string {
  return path.replace(VERB, "/#$2$1");
}

/** The path of the documents for a path of Hono's: `/v1/deliveries/{id}:retry`. */
export function publicPath(routed: string): string {
  const match = /^\/#([A-Za-z_-]+)(\/.*)$/s.exec(routed);
  const path = match === null ? routed : `${match[2]}:${match[1]}`;
  return path.replaceAll(/\/:([A-Za-z_]+)/g, "/{$1}");
}
