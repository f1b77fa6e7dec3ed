// Repeats a request that failed for a moment, where a repetition has no effect of its own. Every POST and PUT gets an
// Idempotency-Key, by which the relay takes a repetition for the same request.

import { ApiError, NoAnswerError, retryAfterSecondsOf } from "./api-error.ts";
import { waitOrAbort } from "./wait-or-abort.ts";
import { whileHeld } from "./while-held.ts";

export type Fetch = (request: Request) => Promise<Response>;

export interface RepeatOptions {
  fetch: Fetch;
  /** How often a request is sent at most. */
  maxTries: number;
  /** How long one try may take, with its answer's body. */
  timeoutMs: number;
}

const KEY_HEADER = "idempotency-key";
/** The methods that take a key. A PUT needs one as well: only its first answer has the secret of what it created. */
const METHODS_WITH_KEY = ["POST", "PUT"];
/** The relay refused the request before it did anything, and names a time. */
const REFUSED_FOR_NOW = [408, 429];
const AWAY = [502, 503, 504];
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
/** A caller waits no longer than this for one pause. A longer `Retry-After` is for the caller to keep. */
const LONGEST_RETRY_AFTER_MS = 30_000;

/** @throws NoAnswerError when no try was answered. The reason of the request's signal when the caller aborts. */
export function repeating({ fetch, maxTries, timeoutMs }: RepeatOptions): Fetch {
  return async (request) => {
    const takesKey = METHODS_WITH_KEY.includes(request.method);
    if (takesKey && !request.headers.has(KEY_HEADER)) request.headers.set(KEY_HEADER, newKey());
    const call = `${request.method} ${request.url}`;
    let mayHaveActed = false;
    for (let tries = 1; ; tries++) {
      const isLast = tries >= maxTries;
      let pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1)) * (0.5 + Math.random() / 2);
      try {
        const response = await sendOnce(request, fetch, timeoutMs);
        // The first try deleted it, and its answer was lost.
        if (response.status === 404 && request.method === "DELETE" && mayHaveActed) {
          return new Response(null, { status: 204, headers: response.headers });
        }
        const isRefusedForNow = REFUSED_FOR_NOW.includes(response.status);
        const mayCure =
          isRefusedForNow ||
          (isRepeatable(request) && (isAway(response) || (mayHaveActed && (await isUnderWay(response)))));
        const retryAfterMs = (retryAfterSecondsOf(response) ?? 0) * 1000;
        if (!mayCure || isLast || retryAfterMs > LONGEST_RETRY_AFTER_MS) return response;
        mayHaveActed ||= !isRefusedForNow;
        pauseMs = Math.max(pauseMs, retryAfterMs);
      } catch (error) {
        request.signal.throwIfAborted();
        if (isLast || !isRepeatable(request)) throw new NoAnswerError(call, error);
        mayHaveActed = true;
      }
      await waitOrAbort(pauseMs, request.signal);
    }
  };
}

async function sendOnce(request: Request, fetch: Fetch, timeoutMs: number): Promise<Response> {
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
  const copy = new Request(request.clone(), { signal });
  return whileHeld([request, signal, copy], async () => withWholeBody(await fetch(copy)));
}

/** Answers with such a status have no body. Chromium gives them an empty one, of which no `Response` can be made. */
const WITHOUT_BODY = [204, 205, 304];

/** An answer whose body breaks off is lost like one that does not come. */
async function withWholeBody(response: Response): Promise<Response> {
  if (response.body === null || WITHOUT_BODY.includes(response.status)) return response;
  return new Response(await response.arrayBuffer(), response);
}

/**
 * Whether the request may be sent again when nobody knows if it took effect. A PATCH sets the same fields once more. A
 * change under a condition would fail by its own effect, unless it has a key.
 */
function isRepeatable({ method, headers }: Request): boolean {
  const isConditional = headers.has("if-match") || headers.has("if-none-match");
  return ["GET", "HEAD", ...METHODS_WITH_KEY].includes(method) || !isConditional;
}

/** A 502 of the relay itself speaks of Gemini, whose calls cost something: whether to repeat it is for the caller. */
function isAway(response: Response): boolean {
  const isOfRelay = response.headers.get("content-type")?.includes("problem+json") === true;
  return AWAY.includes(response.status) && !(response.status === 502 && isOfRelay);
}

/** Whether the relay still works on the first try, whose connection was lost. */
async function isUnderWay(response: Response): Promise<boolean> {
  if (response.status !== 409) return false;
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  return new ApiError({ call: "", response, body }).code === "idempotency_in_progress";
}

/** `crypto.randomUUID` is missing in pages that came without TLS. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
