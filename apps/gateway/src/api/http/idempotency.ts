// Idempotency-Key on every POST (draft-ietf-httpapi-idempotency-key-header): the same request with the same key gets the
// same answer for 24 hours, and has one effect.

import { createHash } from "node:crypto";

import type { Context, MiddlewareHandler } from "hono";

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
} from "@sluice/store/requests/idempotency";

import { type ApiEnv, callerOf } from "./api-env.ts";
import { invalidRequest } from "./invalid-request.ts";

export interface IdempotencyDependencies {
  db: Database;
  masterKey: MasterKey;
  log: Logger;
}

const HEADER = "Idempotency-Key";
const KEY = /^[\x21-\x7e]{1,255}$/;
/** Those that say something of what was done; the others are of the one exchange. */
const KEPT_HEADERS = ["content-type", "location", "etag"];
/** "Come again": to keep such an answer would be to refuse for a day what was asked to come again. */
const PASSING = [408, 429];

/** MUST follow authentication, by which keys are kept apart, and the limit of bodies, which this reads. */
export function answerOnce({ db, masterKey, log }: IdempotencyDependencies): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const given = c.req.header(HEADER);
    if (c.req.method !== "POST" || given === undefined) return next();
    const request = await readRequest(c, given);
    const result = await claimKey(db, masterKey, request);
    if (result.kind === "answered") return repeat(result.answer);
    if (result.kind !== "claimed") throw refusals[result.kind]();

    const { claim } = result;
    c.set("claim", claim);
    await next();
    const { status } = c.res;
    const isKept = status < 500 && !PASSING.includes(status);
    const end = isKept ? keepAnswer(db, masterKey, request, claim, await readAnswer(c.res)) : giveUpClaim(db, claim);
    // Failure policy: open. What was done is done, and its caller is told. When it comes again it is told that the
    // request took effect, and never makes it take effect twice.
    await end.catch((error: unknown) => log.warn({ err: error }, "answer not kept for its Idempotency-Key"));
  };
}

async function readRequest(c: Context<ApiEnv>, given: string): Promise<IdempotentRequest> {
  // The draft's form is a string in quotes (RFC 8941, 3.3.3); most clients send it bare.
  const key = /^"(.*)"$/.exec(given)?.[1] ?? given;
  if (!KEY.test(key)) {
    throw invalidRequest([
      { pointer: HEADER, detail: "must be 1 to 255 visible ASCII characters, in quotes or without" },
    ]);
  }
  const { pathname, search } = new URL(c.req.url);
  const hash = createHash("sha256").update(JSON.stringify([c.req.method, pathname, search]));
  // Read here it stays readable, but for one that is empty: the routes that take none look at the headers.
  const { "content-length": length = "0", "transfer-encoding": coding } = c.req.header();
  if (length !== "0" || coding !== undefined) hash.update(Buffer.from(await c.req.arrayBuffer()));
  return { callerId: callerOf(c).keyId, key, fingerprint: hash.digest() };
}

async function readAnswer(response: Response): Promise<StoredAnswer> {
  const headers = KEPT_HEADERS.map((name) => [name, response.headers.get(name)] as const);
  return {
    status: response.status,
    headers: Object.fromEntries(headers.filter((header): header is [string, string] => header[1] !== null)),
    body: await response.clone().text(),
  };
}

function repeat({ status, headers, body }: StoredAnswer): Response {
  return new Response(body === "" ? null : body, { status, headers: { ...headers, "idempotency-replayed": "true" } });
}

const refusals = {
  in_progress: () =>
    new SluiceError("idempotency_in_progress", "A request with this Idempotency-Key is still under way", {
      retryAfterSeconds: 1,
    }),
  answer_lost: () =>
    new SluiceError(
      "idempotency_answer_lost",
      "The request with this Idempotency-Key took effect, and the relay was stopped before it was answered",
    ),
  reused: () =>
    new SluiceError("idempotency_key_reused", "This Idempotency-Key came with another path or another body before", {
      faults: [{ pointer: HEADER, detail: "is that of another request" }],
    }),
};
