// A target while a person edits it: texts as they stand in the fields, and the body of the API that they become. The relay
// validates: a text that is no number is sent as it is, so that the relay says what is wrong with it.

import type { Schemas } from "@sluice/client/client";

import type { TargetRow } from "../data/records.ts";
import { splitNames } from "../setup/split-names.ts";

export type KindOfTarget = Schemas["TargetKind"];

export interface HeaderDraft {
  name: string;
  /** Empty for a stored value, which is never shown and stays. */
  value: string;
  isStored: boolean;
}

const TEXT_FIELDS = [
  "name",
  "uri",
  "subscribedEvents",
  "filter",
  "timeoutSeconds",
  "maxInFlight",
  "rateRequests",
  "rateSeconds",
  "retryBase",
  "retryCap",
  "retryHorizon",
  "deleteAfterIdle",
  "tlsCa",
  "tlsServerName",
  "tlsCertificate",
  "tlsKey",
] as const;

export type DraftField = (typeof TEXT_FIELDS)[number];

export type TargetDraft = Record<DraftField, string> & {
  kind: KindOfTarget;
  headers: HeaderDraft[];
  /** Whether settings of TLS are stored. Certificates are not shown again, so their fields are empty. */
  hasTls: boolean;
  removesTls: boolean;
};

/** What the relay shows in place of a value, and what keeps it when it is sent back. */
const REDACTED = "[redacted]";

const EMPTY = Object.fromEntries(TEXT_FIELDS.map((field) => [field, ""])) as Record<DraftField, string>;

/** A new target: empty fields have the relay's defaults. */
export const newDraft = (): TargetDraft => ({
  ...EMPTY,
  kind: "http",
  subscribedEvents: "*",
  headers: [],
  hasTls: false,
  removesTls: false,
});

const numberText = (value: number | null | undefined): string => value?.toString() ?? "";

export function draftOf(target: TargetRow): TargetDraft {
  return {
    ...EMPTY,
    kind: target.kind,
    name: target.name,
    uri: target.uri ?? "",
    subscribedEvents: target.subscribed_events.join("\n"),
    filter: target.filter ?? "",
    headers: Object.keys(target.headers).map((name) => ({ name, value: "", isStored: true })),
    timeoutSeconds: numberText(target.timeout_seconds),
    maxInFlight: numberText(target.max_in_flight),
    rateRequests: numberText(target.rate_limit?.requests),
    rateSeconds: numberText(target.rate_limit?.per_seconds),
    retryBase: numberText(target.retry.base_seconds),
    retryCap: numberText(target.retry.cap_seconds),
    retryHorizon: numberText(target.retry.horizon_seconds),
    deleteAfterIdle: numberText(target.delete_after_idle_seconds),
    tlsServerName: target.tls?.server_name ?? "",
    hasTls: target.tls !== null,
    removesTls: false,
  };
}

/** A number, null for an empty text, and the text itself where it is no number. */
const numberOf = (text: string): number | string | null => {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  const value = Number(trimmed);
  return Number.isNaN(value) ? trimmed : value;
};

const textOrNull = (text: string): string | null => (text.trim() === "" ? null : text.trim());

/** The body of the API for each field that is not its opposite in `before`. */
export function bodyOf(draft: TargetDraft, before: TargetDraft): Record<string, unknown> {
  const isChanged = (...fields: DraftField[]) => fields.some((field) => draft[field] !== before[field]);
  const body: Record<string, unknown> = {};
  if (isChanged("name")) body["name"] = draft.name.trim();
  if (isChanged("uri")) body["uri"] = draft.uri.trim();
  if (isChanged("subscribedEvents")) body["subscribed_events"] = splitNames(draft.subscribedEvents);
  if (isChanged("filter")) body["filter"] = textOrNull(draft.filter);
  if (isChanged("timeoutSeconds")) body["timeout_seconds"] = numberOf(draft.timeoutSeconds);
  if (isChanged("maxInFlight")) body["max_in_flight"] = numberOf(draft.maxInFlight);
  if (isChanged("rateRequests", "rateSeconds")) body["rate_limit"] = rateOf(draft);
  if (isChanged("deleteAfterIdle")) body["delete_after_idle_seconds"] = numberOf(draft.deleteAfterIdle);
  const retry = {
    ...(isChanged("retryBase") && { base_seconds: numberOf(draft.retryBase) }),
    ...(isChanged("retryCap") && { cap_seconds: numberOf(draft.retryCap) }),
    ...(isChanged("retryHorizon") && { horizon_seconds: numberOf(draft.retryHorizon) }),
  };
  if (Object.keys(retry).length > 0) body["retry"] = retry;
  const tls = {
    ...(isChanged("tlsCa") && { ca: textOrNull(draft.tlsCa) }),
    ...(isChanged("tlsServerName") && { server_name: textOrNull(draft.tlsServerName) }),
    ...(isChanged("tlsCertificate") && { client_certificate: textOrNull(draft.tlsCertificate) }),
    ...(isChanged("tlsKey") && { client_key: textOrNull(draft.tlsKey) }),
  };
  if (draft.removesTls) body["tls"] = null;
  else if (Object.keys(tls).length > 0) body["tls"] = tls;
  if (areHeadersChanged(draft, before)) body["headers"] = headersOf(draft.headers);
  return body;
}

/** The body that creates a target: what its kind does not have is left out. */
export function newTargetBody(draft: TargetDraft): Record<string, unknown> {
  const body = bodyOf(draft, { ...newDraft(), subscribedEvents: "" });
  return { ...body, kind: draft.kind, subscribed_events: splitNames(draft.subscribedEvents) };
}

const rateOf = ({ rateRequests, rateSeconds }: TargetDraft) =>
  rateRequests.trim() === "" && rateSeconds.trim() === ""
    ? null
    : { requests: numberOf(rateRequests), per_seconds: numberOf(rateSeconds) };

const headersOf = (headers: readonly HeaderDraft[]): Record<string, string> =>
  Object.fromEntries(
    headers
      .filter(({ name, value }) => name.trim() !== "" || value !== "")
      .map(({ name, value, isStored }) => [name.trim(), isStored && value === "" ? REDACTED : value]),
  );

/** Stored values do not go to another origin. They are then sent along, so that the relay names those that it lacks. */
const areHeadersChanged = (draft: TargetDraft, before: TargetDraft): boolean =>
  JSON.stringify(headersOf(draft.headers)) !== JSON.stringify(headersOf(before.headers)) ||
  (draft.headers.some(({ isStored }) => isStored) && isOtherOrigin(draft.uri, before.uri));

export function isOtherOrigin(uri: string, before: string): boolean {
  if (before === "") return false;
  return URL.parse(uri)?.origin !== URL.parse(before)?.origin;
}

/** A pointer of RFC 6901 to a header of the body. */
export const headerPointer = (name: string): string =>
  `/headers/${name.trim().replaceAll("~", "~0").replaceAll("/", "~1")}`;

/** Leaves what another kind does not have. */
export function withKind(draft: TargetDraft, kind: KindOfTarget): TargetDraft {
  const kept = {
    ...newDraft(),
    kind,
    name: draft.name,
    subscribedEvents: draft.subscribedEvents,
    filter: draft.filter,
  };
  return kind === "pull" ? kept : { ...kept, uri: draft.uri };
}
