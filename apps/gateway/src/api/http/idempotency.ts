// Idempotency-Key on every POST and PUT (draft-ietf-httpapi-idempotency-key-header). For 24 hours, a repeated request with
// the same key gets the same answer, and has its effect only once. A refusal that changed nothing gives its key back. A PUT
// is idempotent by itself, but only the answer that a key brings back shows the secret that the first one made.

import type { Context, MiddlewareHandler } from "hono";
import type { StatusCode } from "hono/utils/http-status";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { Database } from "@sluice/store/connection/database";
import {
  claimKey,
  giveUpClaim,
  type IdempotentRequest,
  keepAnswer,
  type StoredAnswer,
  withdrawClaim,
} from "@sluice/store/requests/idempotency";

import { type ApiEnv, callerOf, holderIdOf } from "./api-env.ts";
import { publicPath } from "./custom-verb.ts";
import { announcesBody } from "./empty-body.ts";
import { fingerprintsOf } from "./fingerprint.ts";
import { invalidRequest } from "./invalid-request.ts";

export interface IdempotencyDependencies {
  db: Database;
  masterKey: MasterKey;
  log: Logger;
}

const HEADER = "Idempotency-Key";
/** The methods that take the header. */
const KEYED_METHODS = ["POST", "PUT"];
/**
 * What a target does with what it pulls. Each may be repeated without a key, and the answer of a pull has bodies, which would
 * be stored a second time.
 */
const WITHOUT_KEY = /^\/v1\/targets\/[^/]+:(?:pull|ack|extend)$/;

/** Whether an endpoint takes the header. @param path as it is documented. */
export const takesKey = (method: string, path: string): boolean =>
  KEYED_METHODS.includes(method) && !WITHOUT_KEY.test(path);
const KEY = /^[\x21-\x7e]{1,255}$/;
/** The headers that describe the result. All others belong to one exchange and are not repeated. */
const KEPT_HEADERS = ["content-type", "location", "etag"];

/**
 * MUST run after authentication, because each API key has its own Idempotency-Keys, and after the limit on the size of a
 * body, because this reads the body.
 */
export function answerOnce({ db, masterKey, log }: IdempotencyDependencies): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const given = c.req.header(HEADER);
    if (given === undefined || !takesKey(c.req.method, publicPath(c.req.path))) return next();
    const request = await readRequest(c, given);
    const result = await claimKey(db, masterKey, request);
    if (result.kind === "answered") return repeat(c, result.answer);
    if (result.kind !== "claimed") throw refusals[result.kind]();

    const { claim } = result;
    c.set("claim", claim);
    await next();
    const end = async () => {
      const { status } = c.res;
      if (status >= 500) return giveUpClaim(db, claim);
      // A request can change something and be refused, such as a ping that the service does not answer. That is its answer.
      if (status >= 400 && (await withdrawClaim(db, claim))) return;
      await keepAnswer(db, masterKey, request, claim, await readAnswer(c.res));
    };
    // Failure policy: open. The change is made, and the caller gets the answer. A repetition is answered with
    // `idempotency_answer_lost` and does not make the change again.
    await end().catch((error: unknown) => log.warn({ err: error }, "answer not kept for its Idempotency-Key"));
  };
}

async function readRequest(c: Context<ApiEnv>, given: string): Promise<IdempotentRequest> {
  // In the draft, the key is a string in quotes (RFC 8941, 3.3.3). Most clients send it without quotes.
  const key = /^"(.*)"$/.exec(given)?.[1] ?? given;
  if (!KEY.test(key)) {
    throw invalidRequest([
      { pointer: HEADER, detail: "must be 1 to 255 visible ASCII characters, in quotes or without" },
    ]);
  }
  // Hono keeps a body that was read, so the endpoint can read it again.
  const body = announcesBody(c.req) ? Buffer.from(await c.req.arrayBuffer()) : Buffer.alloc(0);
  return { callerId: holderIdOf(callerOf(c)), key, ...fingerprintsOf(c.req, body) };
}

async function readAnswer(response: Response): Promise<StoredAnswer> {
  const headers = KEPT_HEADERS.map((name) => [name, response.headers.get(name)] as const);
  return {
    status: response.status,
    headers: Object.fromEntries(headers.filter((header): header is [string, string] => header[1] !== null)),
    body: await response.clone().text(),
  };
}

/** By `c.newResponse`, which adds the headers that every answer has, such as `x-request-id`. */
function repeat(c: Context<ApiEnv>, { status, headers, body }: StoredAnswer): Response {
  const replayed = { ...headers, "idempotency-replayed": "true" };
  return c.newResponse(body === "" ? null : body, status as StatusCode, replayed);
}

const refusals = {
  in_progress: () =>
    new SluiceError("idempotency_in_progress", "A request with this Idempotency-Key is still under way", {
      retryAfterSeconds: 1,
    }),
  answer_lost: () =>
    new SluiceError(
      "idempotency_answer_lost",
      "The request with this Idempotency-Key took effect, but its answer was lost: read the resource to see the result",
    ),
  reused: () =>
    new SluiceError(
      "idempotency_key_reused",
      "This Idempotency-Key was used with another path or another body: send a new key",
      {
        faults: [{ pointer: HEADER, detail: "was used for another request" }],
      },
    ),
};
