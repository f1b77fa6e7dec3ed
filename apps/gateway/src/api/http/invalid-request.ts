// Turns what zod found wrong into an `invalid_request` of the API, with one fault for each wrong field.

import type { Hook, z } from "@hono/zod-openapi";

import { type Fault, SluiceError } from "@sluice/shared/runtime/errors";

import type { ApiEnv } from "./api-env.ts";

type Issue = z.core.$ZodIssue;
type RequestPart = Parameters<Hook<unknown, ApiEnv, string, void>>[0]["target"];

/**
 * The `defaultHook` of OpenAPIHono. It is called once for each part of a request: path, query and body.
 * @throws SluiceError `invalid_request` with every fault of this part.
 */
export const refuseInvalid: Hook<unknown, ApiEnv, string, void> = (result) => {
  if (result.success) return;
  const faults = result.error.issues.flatMap((issue) => toFaults(result.target, issue));
  throw invalidRequest(faults);
};

/**
 * Checks the body of an endpoint that is not in the OpenAPI document.
 * @throws SluiceError `invalid_request` with every fault.
 */
export function requireBody<T extends z.ZodType>(schema: T, given: unknown): z.infer<T> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw invalidRequest(result.error.issues.flatMap((issue) => toFaults("json", issue)));
}

export function invalidRequest(faults: Fault[]): SluiceError {
  const summary = faults.map(({ pointer, detail }) => `${pointer === "" ? "the body" : pointer} ${detail}`).join("; ");
  return new SluiceError("invalid_request", `The request is not valid: ${summary}`, { faults });
}

function toFaults(target: RequestPart, issue: Issue): Fault[] {
  if (issue.code === "unrecognized_keys") {
    const detail = target === "query" ? "is not a parameter of this path" : "is not a field of this body";
    return issue.keys.map((key) => ({ pointer: toPointer(target, [...issue.path, key]), detail }));
  }
  if (issue.code === "invalid_union") {
    const branches = issue.errors.filter((issues) => !issues.some(isNotNull));
    const [branch] = branches;
    // A value of one type, or null: the caller needs to know what is wrong with the value.
    if (branch !== undefined && branches.length === 1)
      return branch.flatMap((each) => toFaults(target, { ...each, path: [...issue.path, ...each.path] }));
  }
  return [{ pointer: toPointer(target, issue.path), detail: describeIssue(target, issue) }];
}

const isNotNull = (issue: Issue) =>
  issue.code === "invalid_type" && issue.expected === "null" && issue.path.length === 0;

/** A JSON pointer (RFC 6901) into the body, or the name of a parameter. */
function toPointer(target: RequestPart, path: readonly PropertyKey[]): string {
  if (target === "param") return `{${path.map(String).join(".")}}`;
  if (target === "query") return `?${path.map(String).join(".")}`;
  return path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function describeIssue(target: RequestPart, issue: Issue): string {
  if (issue.code === "invalid_type") {
    if (issue.message.endsWith("received undefined")) return "is required";
    if (target === "query") return "must be given once";
    return `must be ${NOUNS[issue.expected] ?? issue.expected}`;
  }
  if (issue.code === "too_small" || issue.code === "too_big") return describeSize(issue);
  if (issue.code === "invalid_value") {
    return `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
  }
  // For all other issues, the schemas have their own messages.
  return issue.message;
}

const NOUNS: Partial<Record<string, string>> = {
  int: "an integer",
  number: "a number",
  string: "a string",
  array: "a list",
  record: "an object",
  object: "an object",
};

function describeSize(issue: Extract<Issue, { code: "too_small" | "too_big" }>): string {
  if (issue.code === "too_small" && issue.minimum === 1 && issue.origin !== "number") return "must not be empty";
  const bound = issue.code === "too_small" ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  if (issue.origin === "string") return `must have ${bound} characters`;
  if (issue.origin === "array" || issue.origin === "record") return `must have ${bound} entries`;
  return `must be ${bound}`;
}
