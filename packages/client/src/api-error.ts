// What a call throws: the relay refused it (ApiError), or nobody answered it (NoAnswerError).

import type { components } from "./api-types.ts";

type Problem = components["schemas"]["Problem"];
type ProblemCode = Problem["code"];
export type FieldError = NonNullable<Problem["errors"]>[number];

/** What an answer is made from: that of the API, or that of a proxy before it, whose body can be anything. */
interface RefusedCall {
  /** The method and the path, for the message. */
  call: string;
  response: Response;
  /** The parsed body, or its text where it is not JSON. */
  body: unknown;
}

/** An answer that is not 2xx. Branch on `code`, which is stable: docs/errors.md of the relay has all codes. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  /**
   * The code of the problem document. The paths of Gemini's WebhookService answer a status of Google's APIs instead, such
   * as `NOT_FOUND`. An answer that does not come from the relay, such as that of a proxy, has `http_<status>`.
   */
  readonly code: ProblemCode | (string & {});
  /** What happened, for a person to read. */
  readonly detail: string;
  /** Each wrong field, parameter or header; empty when the error is not about one. */
  readonly errors: readonly FieldError[];
  /** The log of the relay has the request under this id. */
  readonly requestId: string | undefined;
  /** In how many seconds the relay wants to be asked again. */
  readonly retryAfterSeconds: number | undefined;

  constructor({ call, response, body }: RefusedCall) {
    const { code, detail, errors } = readProblem(response.status, body);
    super(`${call}: ${response.status} ${code}: ${detail}`);
    this.status = response.status;
    this.code = code;
    this.detail = detail;
    this.errors = errors;
    this.requestId = response.headers.get("x-request-id") ?? undefined;
    this.retryAfterSeconds = retryAfterSecondsOf(response);
  }
}

/**
 * No answer of the API came: the relay is away, it took longer than `timeoutMs`, or something else is at the address.
 * `cause` says which.
 */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";

  constructor(call: string, cause: unknown) {
    super(`${call}: no answer (${reasonOf(cause)})`, { cause });
  }
}

/** The seconds of a `Retry-After`; undefined without one, and for a date, which the relay never sends. */
export function retryAfterSecondsOf(response: Response): number | undefined {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

function readProblem(status: number, body: unknown): Pick<ApiError, "code" | "detail" | "errors"> {
  const { code, detail, errors, error } = (
    typeof body === "object" && body !== null ? body : {}
  ) as Partial<Problem> & {
    error?: { status?: string; message?: string };
  };
  if (typeof code === "string") return { code, detail: detail ?? "", errors: errors ?? [] };
  if (typeof error?.status === "string") return { code: error.status, detail: error.message ?? "", errors: [] };
  const text = typeof body === "string" && body.trim() !== "" ? body.trim().slice(0, 200) : "the answer has no body";
  return { code: `http_${status}`, detail: text, errors: [] };
}

/** `fetch` says "fetch failed" of everything. The reason is in the innermost cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  if (error.cause === undefined) return typeof code === "string" ? code : error.message || error.name;
  return reasonOf(error.cause);
}
