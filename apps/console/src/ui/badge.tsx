// A state as a word with a colour. The word alone says it.

import type { TargetTrouble } from "@sluice/client/target-trouble";

export type Tone = "good" | "bad" | "warn" | "busy" | "quiet";

const TONES: Record<string, Tone> = {
  succeeded: "good",
  enabled: "good",
  active: "good",
  ready: "good",
  seen: "good",
  closed: "good",
  exhausted: "bad",
  failed: "bad",
  disabled: "bad",
  disabled_due_to_failed_deliveries: "bad",
  disabled_by_user: "bad",
  not_ready: "bad",
  overdue: "bad",
  open: "bad",
  degraded: "warn",
  paused: "warn",
  half_open: "warn",
  reconciled: "warn",
  expired: "warn",
  revoked: "quiet",
  cancelled: "quiet",
  pending: "busy",
  running: "busy",
  waiting: "busy",
};

/** The words of the API that a person would say in another way. */
const WORDS: Record<string, string> = {
  disabled_due_to_failed_deliveries: "disabled: all failed",
  half_open: "probing",
  not_ready: "not ready",
};

/** @param state a state of the API, such as `exhausted`. */
export function StateBadge({ state, tone = TONES[state] ?? "quiet" }: { state: string; tone?: Tone | undefined }) {
  return <span className={`badge ${tone}`}>{WORDS[state] ?? state.replaceAll("_", " ")}</span>;
}

interface TroubleProps {
  trouble: TargetTrouble;
  state: string;
  breaker: string;
}

/** What is wrong with a target, in a word or two. */
export function TroubleBadge({ trouble, state, breaker }: TroubleProps) {
  switch (trouble) {
    case "paused":
    case "disabled":
      return <StateBadge state={state} />;
    case "breaker_open":
      return <StateBadge state={breaker === "open" ? "breaker open" : "probing"} tone="bad" />;
    case "failing":
      return <StateBadge state="failing" tone="warn" />;
    case "secret_lost":
    case "not_pulled":
    case "reports_failures":
      return <StateBadge state={trouble} tone="bad" />;
  }
}

/** The status of an answer of a target: by its class; `no answer` without one. */
export function StatusCode({ code, error }: { code: number | null; error?: string | null }) {
  if (code === null) return error ? <span className="badge bad">no answer</span> : <span className="muted">–</span>;
  return <span className={`badge code ${code >= 200 && code < 300 ? "good" : "bad"}`}>{code}</span>;
}
