// The API of a relay for commands. Errors of the client become those that the command line knows, with the id under which the log
// of the relay has the request.

import { ApiError, NoAnswerError } from "@sluice/client/api-error";
import { createSluiceClient, type SluiceClient } from "@sluice/client/client";
import { ERROR_CODES, type ErrorCode, SluiceError } from "@sluice/shared/runtime/errors";

import type { CliContext } from "../cli-context.ts";
import { findAccess, type RelayAccess, type RelayOptions } from "./access.ts";

/** @throws SluiceError `invalid_configuration` without a key. */
export function openRelayApi(options: RelayOptions, context: CliContext): SluiceClient {
  return connectTo(findAccess(options, context));
}

export function connectTo({ api, key }: Pick<RelayAccess, "api" | "key">): SluiceClient {
  return createSluiceClient({ baseUrl: api, apiKey: key });
}

/** @throws SluiceError with the code of the API, or `unavailable` when nobody answers. */
export async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NoAnswerError) throw new SluiceError("unavailable", error.message, { cause: error });
    if (!(error instanceof ApiError)) throw error;
    const code = codeOfAnswer(error);
    // The detail names the faults as fields of the request, and a person gave options.
    const message = error.errors.length > 0 ? ERROR_CODES[code].title : error.detail || error.message;
    throw new SluiceError(code, message, {
      faults: [...error.errors],
      cause: error,
    });
  }
}

function codeOfAnswer({ code, status }: ApiError): ErrorCode {
  if (code in ERROR_CODES) return code as ErrorCode;
  // A proxy before the relay answers.
  if (status === 401) return "unauthenticated";
  if (status === 403) return "forbidden";
  if (status === 404) return "not_found";
  if (status === 502 || status === 503 || status === 504) return "unavailable";
  return status < 500 ? "invalid_request" : "internal";
}
