// What went wrong with a call to the Gemini API, in words that say what to do. The SDK has two families of errors and
// Google two forms of error bodies, but the HTTP status means the same in all of them.

import { cutText } from "@sluice/shared/domain/cut-text";

/** Why a call failed. */
export type GeminiFailureKind =
  /** 401, or 400 with Google's reason for it: the API key is not valid. */
  | "unauthorized"
  /** 403: the key may not do this. */
  | "forbidden"
  /** 404: the webhook or the job is not there. */
  | "not_found"
  /** 429: Google's quota is used up. */
  | "rate_limited"
  /** Another 3xx or 4xx: Google does not take what it was sent. */
  | "refused"
  /** 5xx, 408 and 409: Google failed. Whether the call took effect is unknown. */
  | "unavailable"
  /** No whole answer came. Whether the call took effect is unknown. */
  | "unreachable"
  /** The relay's own budget of requests for this hour is used up. Nothing was sent. */
  | "over_budget";

const ADVICE: Record<GeminiFailureKind, string> = {
  unauthorized: "set a valid gemini_api_key",
  forbidden: "allow the project of the API key to use the Gemini API, or set another gemini_api_key",
  not_found: "it was deleted, or it belongs to another project than the gemini_api_key",
  rate_limited: "Sluice tries again later",
  refused: "Google says above what it does not take",
  unavailable: "Sluice tries again",
  unreachable: "check the network between Sluice and GEMINI_BASE_URL",
  over_budget: "raise GEMINI_REQUESTS_PER_HOUR, or wait for the next hour",
};

const MAX_MESSAGE_LENGTH = 300;
/** Google answers 400, and not 401, to a key that is no key (https://ai.google.dev/gemini-api/docs/troubleshooting). */
const INVALID_KEY = /API_KEY_INVALID|API key (?:not valid|expired)/i;
/** Google's clients repeat these two as they repeat a 5xx: the request timed out, or collided with another one. */
const PASSING_4XX = [408, 409];

export class GeminiFailure extends Error {
  readonly kind: GeminiFailureKind;
  /** The HTTP status; undefined when there was no answer. */
  readonly status: number | undefined;

  /** @param said what Google or the network said; it MUST NOT hold the key. */
  constructor(kind: GeminiFailureKind, call: string, said: string, status?: number) {
    super(`${call}: ${said} (${ADVICE[kind]})`);
    this.name = "GeminiFailure";
    this.kind = kind;
    this.status = status;
  }

  /** Whether the call may have taken effect all the same. */
  get isUncertain(): boolean {
    return this.kind === "unavailable" || this.kind === "unreachable";
  }

  /** Whether the same call may succeed later without anybody doing anything. */
  get isPassing(): boolean {
    return this.isUncertain || this.kind === "rate_limited" || this.kind === "over_budget";
  }
}

/**
 * Ends a request before it is sent: nobody could say whether the budget has room. The cause is a fault of the relay.
 */
export class BudgetUnknown extends Error {}

/**
 * Reads what the SDK threw.
 * @param call such as `webhooks.create`.
 * @param key is taken out of the message, should Google, a proxy or the SDK repeat it.
 * @throws the cause of a {@link BudgetUnknown}, which says nothing about Gemini.
 */
export function toGeminiFailure(error: unknown, call: string, key: string): GeminiFailure {
  const causes = causesOf(error);
  for (const each of causes) {
    if (each instanceof GeminiFailure) return each;
    if (each instanceof BudgetUnknown) throw each.cause;
  }
  const status = readStatus(causes);
  const text = causes.map(causeText).join(": ");
  const said = cleanSentence(readMessage(causes, text), key);
  return new GeminiFailure(kindOf(status, text), call, status === undefined ? said : `HTTP ${status} ${said}`, status);
}

function kindOf(status: number | undefined, text: string): GeminiFailureKind {
  if (status === undefined) return "unreachable";
  if (status === 401 || (status === 400 && INVALID_KEY.test(text))) return "unauthorized";
  if (status === 403) return "forbidden";
  if (status === 404) return "not_found";
  if (status === 429) return "rate_limited";
  return status >= 500 || PASSING_4XX.includes(status) ? "unavailable" : "refused";
}

/** An error, and the errors that caused it. The SDK wraps what `fetch` throws. */
function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  for (
    let each = error;
    each !== undefined && causes.length < 8;
    each = each instanceof Error ? each.cause : undefined
  ) {
    causes.push(each);
  }
  return causes;
}

function readStatus(causes: readonly unknown[]): number | undefined {
  for (const each of causes) {
    if (typeof each !== "object" || each === null) continue;
    for (const name of ["status", "statusCode"] as const) {
      const status = name in each ? (each as Record<string, unknown>)[name] : undefined;
      if (typeof status === "number" && status >= 300 && status <= 599) return status;
    }
  }
  return undefined;
}

/**
 * Google's own sentence, where a message holds the body of its answer. Otherwise what happened first, such as a reset.
 */
function readMessage(causes: readonly unknown[], text: string): string {
  const quoted = /"message"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  if (quoted !== undefined) return unquote(quoted);
  return causes.map(causeText).findLast((each) => each !== "") ?? "no reason was given";
}

function causeText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== "") return error.message;
  // What Node throws when every address of a host refused has a code, and no message.
  return "code" in error ? String(error.code) : error.name;
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

function cleanSentence(text: string, key: string): string {
  const clean = text
    .replaceAll(key, "[key]")
    .replaceAll(encodeURIComponent(key), "[key]")
    .replaceAll(/[\p{Cc}\s]+/gu, " ");
  return cutText(clean, MAX_MESSAGE_LENGTH);
}
