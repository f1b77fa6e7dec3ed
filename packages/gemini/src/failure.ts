// What went wrong with a call to the Gemini API, in words that say what to do. The SDK has two families of errors and Google
// two forms of error bodies, but the HTTP status means the same in all of them.

/** Why a call failed. */
export type GeminiFailureKind =
  /** 401: the API key is not valid. */
  | "unauthorized"
  /** 403: the key may not do this. */
  | "forbidden"
  /** 404: the webhook or the job is not there. */
  | "not_found"
  /** 429: Google's quota is used up. */
  | "rate_limited"
  /** Another 4xx: Google does not take what it was sent. */
  | "refused"
  /** 5xx: Google failed. Whether the call took effect is unknown. */
  | "unavailable"
  /** No whole answer came. Whether the call took effect is unknown. */
  | "unreachable"
  /** The relay's own budget of requests for this hour is used up. Nothing was sent. */
  | "over_budget";

const ADVICE: Record<GeminiFailureKind, string> = {
  unauthorized: "set a valid gemini_api_key",
  forbidden: "allow the project of the API key to use the Gemini API, or set another gemini_api_key",
  not_found: "it was deleted, or it belongs to another project",
  rate_limited: "Sluice tries again later",
  refused: "the message of Google says what it does not take",
  unavailable: "Sluice tries again",
  unreachable: "check the network between Sluice and GEMINI_BASE_URL",
  over_budget: "raise GEMINI_REQUESTS_PER_HOUR, or wait for the next hour",
};

const MAX_MESSAGE_LENGTH = 300;

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
 * Reads what the SDK threw.
 * @param call such as `webhooks.create`.
 * @param key is taken out of the message, should Google or a proxy repeat it.
 */
export function toGeminiFailure(error: unknown, call: string, key: string): GeminiFailure {
  for (const each of causesOf(error)) if (each instanceof GeminiFailure) return each;
  const status = readStatus(error);
  const said = readMessage(error)
    .replaceAll(key, "[key]")
    .replaceAll("\u0000", "")
    .slice(0, MAX_MESSAGE_LENGTH)
    .toWellFormed();
  return new GeminiFailure(kindOf(status), call, status === undefined ? said : `HTTP ${status} ${said}`, status);
}

function kindOf(status: number | undefined): GeminiFailureKind {
  if (status === undefined) return "unreachable";
  if (status === 401) return "unauthorized";
  if (status === 403) return "forbidden";
  if (status === 404) return "not_found";
  if (status === 429) return "rate_limited";
  return status >= 500 ? "unavailable" : "refused";
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

function readStatus(error: unknown): number | undefined {
  for (const each of causesOf(error)) {
    if (typeof each !== "object" || each === null) continue;
    for (const name of ["status", "statusCode"] as const) {
      const status = name in each ? (each as Record<string, unknown>)[name] : undefined;
      if (typeof status === "number" && status >= 300 && status <= 599) return status;
    }
  }
  return undefined;
}

/** Google's own sentence, where the message holds the whole body of its answer. */
function readMessage(error: unknown): string {
  const messages = causesOf(error).map((each) => (each instanceof Error ? each.message : String(each)));
  const text = messages.join(": ");
  return /"message"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text;
}
