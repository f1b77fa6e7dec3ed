// The failures of an endpoint in the OpenAPI document: for each status, the codes and what they mean. An endpoint lists
// only its own codes. createDocument() adds those that follow from its form: that it takes a key, an id or a body.

import { ERROR_CODES, type ErrorCode } from "@sluice/shared/runtime/errors";

import { googleStatusOf } from "./google-error.ts";

/** Typed as `object`, so that these responses do not become part of the types that a handler must return. */
type DescribedResponses = object;

/** Responses for the codes that only this endpoint has. They stand beside `default` in `responses`. */
export const problems = (...codes: ErrorCode[]): DescribedResponses =>
  describeByStatus(codes, (code) => ERROR_CODES[code].status);

/** Like {@link problems}, for the endpoints of the WebhookService. */
export const googleProblems = (...codes: ErrorCode[]): DescribedResponses => describeByStatus(codes, googleStatusOf);

export const describeCodes = (codes: readonly ErrorCode[]): string =>
  codes.map((code) => `\`${code}\`: ${ERROR_CODES[code].title}`).join("; ");

function describeByStatus(codes: readonly ErrorCode[], statusOf: (code: ErrorCode) => number): DescribedResponses {
  const groups = [...Map.groupBy(codes, statusOf)];
  return Object.fromEntries(groups.map(([status, group]) => [status, { description: describeCodes(group) }]));
}
