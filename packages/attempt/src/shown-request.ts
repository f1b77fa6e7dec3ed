// What the log, the API and traces show of requests to targets and of their responses. Whoever may read the log may not
// learn a credential from it. Failure policy: closed. Where a value may be a secret, its name is shown without it.

import { PULL_URI } from "@sluice/shared/domain/target-kinds";
import type { Target } from "@sluice/store/configuration/targets";
import type { ShownHeaders } from "@sluice/store/delivery/attempt-details";
import type { AttemptedDelivery } from "@sluice/store/delivery/deliveries";

import type { ResponseHeaders } from "./attempt-result.ts";

/** In place of the value of a header, as the API shows the headers of a target. */
const REDACTED = "[redacted]";
/** In place of a value in a query. Every URL may have it as it is. */
const REDACTED_IN_URL = "REDACTED";

const MAX_RESPONSE_HEADERS = 32;
const MAX_VALUE_LENGTH = 256;
/** Of all names and values together, in characters: as much as the log keeps of the body. */
const MAX_RESPONSE_HEADERS_LENGTH = 1_024;
/** About the connection instead of the response: RFC 9110, 7.6.1. */
const HOP_BY_HOP = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade|te|trailer)$/;
const SECRET_NAME = /auth|token|secret|passw|api-?key|session|csrf|xsrf|credential|signature|jwt/;
/** It says how to authenticate, and holds no credential: RFC 9110, 11.6.1. */
const CHALLENGE = "www-authenticate";
/** Their values are URLs, which may hold a credential as that of a target may. */
const WITH_URLS = /^(?:location|content-location|refresh|link)$/;
const SECRET_VALUE = /^(?:bearer|basic|digest) /i;
/** What HTTP does not allow in a value, and the row of an attempt could not hold. */
const CONTROL = /\p{Cc}/gu;

/** What becomes of a header by its name alone. */
type Rule = "left_out" | "redacted" | "urls" | "challenge" | "shown";
/** Spares three patterns for each header of each attempt. */
const rules = new Map<string, Rule>();
const MAX_RULES = 1_000;

const urls = new WeakMap<Pick<Target, "uri">, string>();

/**
 * The URL of a target without credentials: without user and password, and with the names of its query alone. The `uri` of
 * a chat target is its origin, because the rest of its URL is the secret. A pull target has none: the text is empty.
 */
export function shownUrl(target: Pick<Target, "uri">): string {
  if (target.uri === PULL_URI) return "";
  let shown = urls.get(target);
  if (shown === undefined) {
    const { origin, pathname, search } = new URL(target.uri);
    shown = origin + pathname + redactQuery(search);
    urls.set(target, shown);
  }
  return shown;
}

/** A part without a value may be the secret itself. */
function redactQuery(query: string): string {
  return query.replace(/([?&])([^=&]*=)?[^&]*/g, (part, before: string, name = "") =>
    part === before ? part : `${before}${name}${REDACTED_IN_URL}`,
  );
}

/** The headers of a request that do not follow from its attempt: see attempt-details.ts. */
export function shownRequestHeaders({ headers }: Pick<Target, "headers">, delivery: AttemptedDelivery): ShownHeaders {
  const shown: ShownHeaders = {};
  // Any value can be a credential.
  for (const name in headers) shown[name.toLowerCase()] = REDACTED;
  const { contentType, contentEncoding, bodyUnbound } = delivery;
  if (contentType !== null && contentType !== "application/json") shown["content-type"] = contentType;
  if (contentEncoding !== null) shown["content-encoding"] = contentEncoding;
  if (bodyUnbound) shown["sluice-body-unbound"] = "true";
  return shown;
}

/** The first headers of a response up to the limits, without cookies. A value that is too long is cut. */
export function shownResponseHeaders(headers: ResponseHeaders): ShownHeaders {
  const shown: ShownHeaders = {};
  let count = 0;
  let length = 0;
  for (const name in headers) {
    const given = headers[name];
    const rule = ruleOf(name);
    if (given === undefined || rule === "left_out") continue;
    const value = shownValue(rule, typeof given === "string" ? given : given.join(", "));
    count += 1;
    length += name.length + value.length;
    if (count > MAX_RESPONSE_HEADERS || length > MAX_RESPONSE_HEADERS_LENGTH) break;
    shown[name] = value;
  }
  return shown;
}

function ruleOf(name: string): Rule {
  let rule = rules.get(name);
  if (rule === undefined) {
    rule = decideRule(name);
    // Targets may invent names.
    if (rules.size === MAX_RULES) rules.clear();
    rules.set(name, rule);
  }
  return rule;
}

function decideRule(name: string): Rule {
  if (name.includes("cookie") || HOP_BY_HOP.test(name)) return "left_out";
  if (name === CHALLENGE) return "challenge";
  if (SECRET_NAME.test(name)) return "redacted";
  return WITH_URLS.test(name) ? "urls" : "shown";
}

function shownValue(rule: Rule, value: string): string {
  if (rule === "redacted" || (rule !== "challenge" && SECRET_VALUE.test(value))) return REDACTED;
  const safe = (rule === "urls" ? redactUrls(value) : value).replaceAll(CONTROL, " ");
  return safe.length > MAX_VALUE_LENGTH ? `${safe.slice(0, MAX_VALUE_LENGTH - 1)}\u2026` : safe;
}

/** Takes user, password and query out of the URLs in a text. */
function redactUrls(text: string): string {
  return text.replaceAll(/\/\/[^/@\s]*@/g, "//").replaceAll(/[?#][^\s<>",;]*/g, `?${REDACTED_IN_URL}`);
}
