// A resource with its ETag. A change that carries the tag is refused when somebody else changed the resource meanwhile.

import { ApiError } from "@sluice/client/api-error";

import { relay } from "./client.ts";

export interface Tagged<T> {
  value: T;
  /** For `If-Match`. */
  etag: string;
}

interface AnswerWithHeaders {
  data?: unknown;
  error?: unknown;
  response: Response;
}

export async function readTagged<T>(path: string, signal: AbortSignal): Promise<Tagged<T>> {
  const read = relay.raw.GET as (path: string, init: object) => Promise<AnswerWithHeaders>;
  const { data, error, response } = await read(path, { signal });
  if (!response.ok) throw new ApiError({ call: `GET ${path}`, response, body: error });
  return { value: data as T, etag: response.headers.get("etag") ?? "*" };
}

/** @param isForced whether a change goes past the file of settings that manages the resource. */
export const changeHeaders = (etag: string | undefined, isForced: boolean): Record<string, string> => ({
  ...(etag !== undefined && { "if-match": etag }),
  ...(isForced && { "sluice-force": "true" }),
});
