// What a route may refuse, in the OpenAPI document: by status, with each code and what it means. The codes that follow
// from what a route is (that it takes an id, a body, a key) are added by createDocument().

import { ERROR_CODES, type ErrorCode } from "@sluice/shared/runtime/errors";

import { googleStatusOf } from "./google-error.ts";

/** As an `object`, so that it adds nothing to the responses that a handler's types are made of. */
type DescribedResponses = object;

/** For `responses`, beside `default`: the codes of this route that others have not. */
export const problems = (...codes: ErrorCode[]): DescribedResponses =>
  describeByStatus(codes, (code) => ERROR_CODES[code].status);

/** As {@link problems}, for the routes of the WebhookService. */
export const googleProblems = (...codes: ErrorCode[]): DescribedResponses => describeByStatus(codes, googleStatusOf);

export const describeCodes = (codes: readonly ErrorCode[]): string =>
  codes.map((code) => `\`${code}\`: ${ERROR_CODES[code].title}`).join("; ");

function describeByStatus(codes: readonly ErrorCode[], statusOf: (code: ErrorCode) => number): DescribedResponses {
  const groups = [...Map.groupBy(codes, statusOf)];
  return Object.fromEntries(groups.map(([status, group]) => [status, { description: describeCodes(group) }]));
}
