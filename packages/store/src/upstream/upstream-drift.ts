// Compares a webhook as Gemini has it with what its source expects, in words that say what to do. Pure. The words
// hold no time that passes, because a difference that only grew older is no news.

import type { GeminiFailure } from "@sluice/gemini/failure";
import type { UpstreamWebhook } from "@sluice/gemini/webhooks";

import type { Drift, DriftCode, UpstreamProblem, UpstreamSeen } from "../schema.ts";

export interface ExpectedWebhook {
  uri: string;
  subscribedEvents: readonly string[];
  /** The name of the source, which is in its address. */
  sourceName: string;
  /** The truncated secrets of the source that are valid. */
  heldSecrets: readonly string[];
}

/** Gemini away for less than this is a passing failure, which nobody is told about. */
const UNCHECKED_MS = 3_600_000;

export const toSeen = ({ state, uri, subscribedEvents, secrets }: UpstreamWebhook): UpstreamSeen => ({
  state,
  uri,
  subscribed_events: subscribedEvents,
  secrets: secrets.map(({ truncated, expireTime }) => ({ truncated, expire_time: expireTime })),
});

/** The differences that a look at the webhook shows. */
export function judgeWebhook(webhook: UpstreamWebhook, expected: ExpectedWebhook): Drift[] {
  return [
    ...judgeState(webhook.state),
    ...judgeUri(webhook.uri, expected),
    ...judgeEvents(webhook.subscribedEvents, expected.subscribedEvents),
    ...judgeSecrets(webhook, expected.heldSecrets),
  ];
}

function judgeState(state: string): Drift[] {
  switch (state) {
    case "disabled":
      return drift(
        state,
        "Gemini sends nothing, because somebody disabled the webhook. POST …/upstream:heal enables it.",
      );
    case "disabled_due_to_failed_deliveries":
      return drift(
        state,
        "Gemini sends nothing, because its deliveries failed. See that the ingress can be reached from the internet; " +
          "then POST …/upstream:heal enables the webhook again.",
      );
    default:
      return [];
  }
}

function judgeUri(uri: string, expected: ExpectedWebhook): Drift[] {
  if (uri !== expected.uri) {
    return drift(
      "uri_differs",
      `Gemini sends to ${uri} and not to ${expected.uri}. POST …/upstream:register makes a webhook for the address of the source.`,
    );
  }
  if (uri.endsWith(`/in/${expected.sourceName}`)) return [];
  return drift(
    "uri_differs",
    `Gemini sends to ${uri}, and the source is at /in/${expected.sourceName} now. POST …/upstream:register makes a ` +
      "webhook for the new address; delete the old one at Gemini.",
  );
}

function judgeEvents(seen: readonly string[], expected: readonly string[]): Drift[] {
  const missing = expected.filter((event) => !seen.includes(event));
  const added = seen.filter((event) => !expected.includes(event));
  if (missing.length + added.length === 0) return [];
  const parts = [
    ...(missing.length > 0 ? [`does not send ${missing.join(", ")}`] : []),
    ...(added.length > 0 ? [`also sends ${added.join(", ")}`] : []),
  ];
  return drift(
    "events_differ",
    `Gemini ${parts.join(", and ")}. POST …/upstream:register with subscribed_events sets them; without, it accepts them.`,
  );
}

function judgeSecrets({ secrets }: UpstreamWebhook, held: readonly string[]): Drift[] {
  const unknown = currentSecrets(secrets).filter((truncated) => !held.includes(truncated));
  if (unknown.length === 0) return [];
  const shared = secrets.find(({ truncated, expireTime }) => expireTime !== null && held.includes(truncated));
  const consequence =
    shared === undefined
      ? "Webhooks are refused with signature_mismatch"
      : `Webhooks verify by ${shared.truncated} until ${shared.expireTime}`;
  return drift(
    "secret_unknown",
    `Gemini signs with ${unknown.join(", ")}, which the source does not have: somebody rotated the secret elsewhere. ` +
      `${consequence}. POST …/upstream:rotate makes a secret that the source knows.`,
  );
}

/** The truncated secrets that have no end. */
export const currentSecrets = (secrets: UpstreamWebhook["secrets"]): string[] =>
  secrets.filter(({ expireTime }) => expireTime === null).map(({ truncated }) => truncated);

const FAILURE_CODES: readonly DriftCode[] = ["key_missing", "key_refused", "refused", "unchecked"];

/** A failure as the source shows it. A failure that goes on keeps its beginning. */
export function toProblem(failure: GeminiFailure, before: UpstreamProblem | null, nowMs: number): UpstreamProblem {
  const isSame = before !== null && (before.code === failure.kind || (failure.isPassing && isPassingCode(before.code)));
  const since = isSame ? before.since : new Date(nowMs).toISOString();
  return { code: failure.kind, detail: failure.message, since };
}

const isPassingCode = (code: string) => ["unavailable", "unreachable", "rate_limited", "over_budget"].includes(code);

/** The differences after a look that failed: what was seen before still counts. */
export function judgeFailure(
  failure: GeminiFailure,
  problem: UpstreamProblem,
  before: readonly Drift[],
  nowMs: number,
): Drift[] {
  const seen = before.filter(({ code }) => !FAILURE_CODES.includes(code));
  switch (failure.kind) {
    case "not_found":
      return drift(
        "webhook_missing",
        "Gemini does not know the webhook: it was deleted, or the gemini_api_key belongs to another project. " +
          "POST …/upstream:register makes a new one.",
      );
    case "unauthorized":
    case "forbidden":
      return [...seen, ...drift("key_refused", `Gemini refuses the gemini_api_key: ${failure.message}`)];
    case "refused":
      return [...seen, ...drift("refused", `Gemini refuses to show the webhook: ${failure.message}`)];
    case "unavailable":
    case "unreachable":
    case "rate_limited":
    case "over_budget": {
      if (nowMs - Date.parse(problem.since) < UNCHECKED_MS) return [...before];
      return [...seen, ...drift("unchecked", `The webhook could not be checked since ${problem.since}.`)];
    }
    default:
      return failure.kind satisfies never;
  }
}

/** The difference when there is no API key to ask with. */
export function judgeMissingKey(before: readonly Drift[]): Drift[] {
  const seen = before.filter(({ code }) => !FAILURE_CODES.includes(code));
  return [...seen, ...drift("key_missing", "The source has no gemini_api_key, so nothing is checked. Set one.")];
}

/**
 * Whether two looks found the same. Google's words for one failure may differ from time to time, so they do not count.
 */
export const isSameDrift = (one: readonly Drift[], other: readonly Drift[]): boolean =>
  one.length === other.length &&
  one.every(
    ({ code, detail }, index) =>
      code === other[index]?.code && (FAILURE_CODES.includes(code) || detail === other[index].detail),
  );

const drift = (code: DriftCode, detail: string): Drift[] => [{ code, detail }];
