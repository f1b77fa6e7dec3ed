// Opens Google's SDK for one API key. It is loaded when it is used for the first time: a relay that leaves Gemini's
// side alone pays nothing for it.

import type { GoogleGenAI } from "@google/genai";

import type { Secret } from "@sluice/shared/settings/secret";

import { BudgetUnknown, GeminiFailure } from "./failure.ts";

export interface GeminiSettings {
  /**
   * `GEMINI_BASE_URL`. A setting of the process and never of a source: whoever may change a source MUST NOT lead the
   * key elsewhere.
   */
  baseUrl: string;
  /** Takes one request off the budget of the key. @returns false when none is left. */
  spend: () => Promise<boolean>;
  /** Sees each answer before the SDK reads it: the SDK's errors lack the headers. */
  answered?: (answer: Response) => void;
}

/** How long one request may take. Google answers these calls within a second or two. */
const TIMEOUT_MS = 20_000;

/**
 * The options of a call of `webhooks` or `interactions`. These parts of the SDK ignore `retryOptions` and send a failed
 * call five times by themselves. A repeated `create` or `rotateSigningSecret` would make secrets that nobody sees, so
 * every call of theirs MUST have these options.
 */
export const SENT_ONCE = { maxRetries: 0 } as const;

/** The SDK's client. Whoever calls decides what to do about a failure ({@link GeminiFailure}). */
export async function openGeminiClient(
  key: Secret<string>,
  { baseUrl, spend, answered }: GeminiSettings,
): Promise<GoogleGenAI> {
  const sdk = await import("./sdk.ts");
  const send: typeof fetch = async (input, init) => {
    const isLeft = await spend().catch((error: unknown) => {
      throw new BudgetUnknown("The budget of requests to Gemini is unknown", { cause: error });
    });
    if (!isLeft) throw new GeminiFailure("over_budget", "Gemini", "the requests of this hour are used up");
    // A redirect would take the key along.
    const answer = await fetch(input, { ...init, redirect: "error" });
    answered?.(answer);
    return answer;
  };
  return new sdk.GoogleGenAI({
    apiKey: key.reveal(),
    // Not from the environment, which the SDK would read.
    vertexai: false,
    httpOptions: { baseUrl, timeout: TIMEOUT_MS, retryOptions: { attempts: 1 }, fetch: send },
  });
}
