// A source while a person edits it: texts as they stand in the fields, and the body of the API that they become.

import type { Schemas } from "@sluice/client/client";

import type { SourceRow } from "../data/records.ts";
import { splitNames } from "../setup/split-names.ts";

export type KindOfSource = Schemas["SourceKind"];

const LISTS = {
  audiences: "audiences",
  issuers: "issuers",
  tokenTypes: "token_types",
  publicKeys: "public_keys",
} as const;
const NUMBERS = { toleranceSeconds: "tolerance_seconds", maxTokenSeconds: "max_token_seconds" } as const;
const RECONCILE = {
  everySeconds: "every_seconds",
  graceSeconds: "grace_seconds",
  lookbackHours: "lookback_hours",
} as const;

export interface SourceDraft {
  kind: KindOfSource;
  name: string;
  /** Empty: the relay makes one for a new static source, and keeps what a source has. */
  signingSecret: string;
  /** Empty: what is stored stays. */
  geminiKey: string;
  removesGeminiKey: boolean;
  schemes: string[];
  toleranceSeconds: string;
  expectEverySeconds: string;
  audiences: string;
  issuers: string;
  tokenTypes: string;
  publicKeys: string;
  maxTokenSeconds: string;
  jwksUri: string;
  bodyUnbound: string;
  reconciles: boolean;
  everySeconds: string;
  graceSeconds: string;
  lookbackHours: string;
}

export const SCHEMES_OF_KIND: Record<KindOfSource, readonly string[]> = { static: ["v1"], dynamic: ["v1a", "jwt"] };

export const newSourceDraft = (kind: KindOfSource = "static"): SourceDraft => ({
  kind,
  name: "",
  signingSecret: "",
  geminiKey: "",
  removesGeminiKey: false,
  schemes: [...SCHEMES_OF_KIND[kind]],
  toleranceSeconds: "",
  expectEverySeconds: "",
  audiences: "",
  issuers: "",
  tokenTypes: "",
  publicKeys: "",
  maxTokenSeconds: "",
  jwksUri: "",
  bodyUnbound: "reject",
  reconciles: false,
  everySeconds: "",
  graceSeconds: "",
  lookbackHours: "",
});

export function sourceDraftOf(source: SourceRow): SourceDraft {
  return {
    ...newSourceDraft(source.kind),
    name: source.name,
    schemes: [...source.schemes],
    toleranceSeconds: String(source.tolerance_seconds),
    expectEverySeconds: source.expect_every_seconds?.toString() ?? "",
    audiences: source.audiences.join("\n"),
    issuers: source.issuers.join("\n"),
    tokenTypes: source.token_types.join("\n"),
    publicKeys: source.public_keys.join("\n"),
    maxTokenSeconds: source.max_token_seconds?.toString() ?? "",
    jwksUri: source.jwks_uri ?? "",
    bodyUnbound: source.body_unbound ?? "reject",
    reconciles: source.reconcile.enabled,
    everySeconds: String(source.reconcile.every_seconds),
    graceSeconds: String(source.reconcile.grace_seconds),
    lookbackHours: String(source.reconcile.lookback_hours),
  };
}

/** A number; null for an empty text, and the text itself where it is no number: the relay says what is wrong with it. */
const numberIn = (text: string): number | string | null => {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  return Number.isNaN(Number(trimmed)) ? trimmed : Number(trimmed);
};

/** The body of the API for what differs from `before`. */
export function sourceBody(draft: SourceDraft, before: SourceDraft): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  const isChanged = (field: keyof SourceDraft) => JSON.stringify(draft[field]) !== JSON.stringify(before[field]);
  if (isChanged("name")) body["name"] = draft.name.trim();
  if (isChanged("schemes")) body["schemes"] = draft.schemes;
  if (isChanged("signingSecret")) body["signing_secret"] = draft.signingSecret.trim();
  if (draft.removesGeminiKey) body["gemini_api_key"] = null;
  else if (isChanged("geminiKey")) body["gemini_api_key"] = draft.geminiKey.trim();
  if (isChanged("expectEverySeconds")) body["expect_every_seconds"] = numberIn(draft.expectEverySeconds);
  if (isChanged("jwksUri")) body["jwks_uri"] = draft.jwksUri.trim() === "" ? null : draft.jwksUri.trim();
  if (isChanged("bodyUnbound")) body["body_unbound"] = draft.bodyUnbound;
  for (const field of fieldsOf(NUMBERS)) if (isChanged(field)) body[NUMBERS[field]] = numberIn(draft[field]);
  for (const field of fieldsOf(LISTS)) if (isChanged(field)) body[LISTS[field]] = splitNames(draft[field]);
  const reconcile: Record<string, unknown> = isChanged("reconciles") ? { enabled: draft.reconciles } : {};
  for (const field of fieldsOf(RECONCILE)) if (isChanged(field)) reconcile[RECONCILE[field]] = numberIn(draft[field]);
  if (Object.keys(reconcile).length > 0) body["reconcile"] = reconcile;
  return body;
}

const fieldsOf = <T extends object>(names: T) => Object.keys(names) as (keyof T)[];

export const newSourceBody = (draft: SourceDraft): Record<string, unknown> => ({
  ...sourceBody(draft, newSourceDraft(draft.kind)),
  name: draft.name.trim(),
  kind: draft.kind,
});
