// The form in which every port shows an error: RFC 9457 problem details with a stable code.

import { ERROR_CODES, type SluiceError } from "./errors.ts";

export const PROBLEM_MEDIA_TYPE = "application/problem+json";

/** @param extra further members, such as the `reason` of a refused webhook. */
export function problemDocument(error: SluiceError, extra: Record<string, unknown> = {}): Record<string, unknown> {
  const { title, status } = ERROR_CODES[error.code];
  return {
    type: `urn:sluice:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...(error.faults.length === 0 ? {} : { errors: error.faults }),
    ...extra,
  };
}
