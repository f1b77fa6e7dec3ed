// A new API key while a person describes it, and the body of the API that it becomes.

export interface KeyDraft {
  name: string;
  /** `read`, `write`, `admin`, or `target` for one pull target alone. */
  scope: string;
  target: string;
  /** Days; empty for a key without an end. */
  days: string;
}

export const newKeyDraft = (): KeyDraft => ({ name: "", scope: "read", target: "", days: "" });

const DAY_MS = 86_400_000;

export const keyBody = ({ name, scope, target, days }: KeyDraft, nowMs: number): object => ({
  name: name.trim(),
  scopes: [scope === "target" ? `target:${target}` : scope],
  expires_at: days === "" ? null : new Date(nowMs + Number(days) * DAY_MS).toISOString(),
});
