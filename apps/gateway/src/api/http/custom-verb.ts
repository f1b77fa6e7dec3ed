// Paths with a custom verb, such as `POST /v1/deliveries/{id}:retry`. Hono cannot separate a parameter and a verb in
// one segment, so this request is routed as `/#retry/v1/deliveries/{id}`. No request can name such a path itself: the
// path of a URL ends before a "#", and Hono does not decode "%23".

import { getPath as getHonoPath } from "hono/utils/url";

// The flag `s` lets an id contain a line break, because Hono decodes "%0D". The verb after it must still be found.
const VERB = /^(.*\/[^/:]+)(?::|%3A)([A-Z][A-Z_-]*)$/is;

/**
 * Google's clients write the name of a webhook, `webhooks/{id}`, where the id stands in the path. Some of them encode its
 * slash, and Python's does not.
 */
const WEBHOOK_BY_NAME = /^(\/v1(?:beta)?\/webhooks)\/webhooks\/(?=[^/])/;

/** A name may have a colon, such as `team:billing`, and so may a path of the console. There is no verb behind it. */
const WITHOUT_VERB = /^\/(?:v1\/(?:sources|targets)\/by-name|console)\//;

/** The path by which Hono routes a request. This is Hono's option `getPath`. */
export function getPath(request: Request): string {
  const path = getHonoPath(request).replace(WEBHOOK_BY_NAME, "$1/");
  const match = WITHOUT_VERB.test(path) ? null : VERB.exec(path);
  return match === null ? path : `/#${match[2]}${match[1]}`;
}

/** Turns `/v1/deliveries/{id}:retry`, the path of an endpoint, into the path by which Hono routes it. */
export function routedPath(path: string): string {
  return path.replace(VERB, "/#$2$1");
}

/** Turns a path of Hono's into the documented one: `/#retry/v1/deliveries/:id` becomes `/v1/deliveries/{id}:retry`. */
export function publicPath(routed: string): string {
  const match = /^\/#([A-Za-z_-]+)(\/.*)$/s.exec(routed);
  const path = match === null ? routed : `${match[2]}:${match[1]}`;
  return path.replaceAll(/\/:([A-Za-z_]+)/g, "/{$1}");
}
