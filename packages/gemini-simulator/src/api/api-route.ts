// A route of Gemini's API. Its name is what faults and counts go by.

import type { ApiCall } from "./api-call.ts";

export interface ApiRoute {
  /** As the SDK calls it: `webhooks.create`, `batches.list`. */
  name: string;
  method: string;
  /** Matches the decoded path behind the version. Its groups are the parameters. */
  path: RegExp;
  /** @returns the body of a 200. @throws GeminiError for any other answer. */
  handle: (call: ApiCall) => object;
}
