// A callback URL while a person makes it, and the body of the API that it becomes.

export interface CallbackDraft {
  /** `name=value`, one a line. */
  labels: string;
  expiresInSeconds: string;
  isSingleUse: boolean;
  /** Empty: no job is announced. */
  jobKind: string;
}

export const EXPIRIES = [
  { seconds: "3600", label: "an hour" },
  { seconds: "86400", label: "a day" },
  { seconds: "604800", label: "7 days" },
  { seconds: "2592000", label: "30 days" },
];

export const newCallbackDraft = (): CallbackDraft => ({
  labels: "",
  expiresInSeconds: "604800",
  isSingleUse: false,
  jobKind: "",
});

/** A line without `=` is a label without a value, which the relay judges. */
function labelsIn(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf("=");
      return at === -1 ? [line.trim(), ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    }),
  );
}

export const callbackBody = ({ labels, expiresInSeconds, isSingleUse, jobKind }: CallbackDraft): object => ({
  labels: labelsIn(labels),
  expires_in_seconds: Number(expiresInSeconds),
  single_use: isSingleUse,
  ...(jobKind !== "" && { job: { kind: jobKind } }),
});
