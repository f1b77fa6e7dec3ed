// Writes what there is as a configuration. A secret is a placeholder for the environment variable that should hold it.

import { isDeepStrictEqual } from "node:util";

import { isChatKind } from "@sluice/shared/domain/target-kinds";
import { SCHEMES_OF } from "@sluice/signature/schemes";
import { listApiKeys } from "@sluice/store/configuration/api-keys";
import { API_SOURCE, listSources, SOURCE_DEFAULTS, type SourceRecord } from "@sluice/store/configuration/sources";
import { defaultsOf, listTargets, type TargetRecord } from "@sluice/store/configuration/targets";
import { RECONCILE_DEFAULTS } from "@sluice/store/configuration/reconciliation";
import { ALL } from "@sluice/store/log/page";

import { boundScope } from "../access/key-scopes.ts";
import { showSource, sourceReplacement } from "../sources/source-schema.ts";
import { targetReplacement } from "../targets/target-request.ts";
import { showTarget } from "../targets/target-schema.ts";
import type { ResourcesDependencies } from "./configured-resources.ts";

type Fields = Record<string, unknown>;

export interface ExportedConfiguration {
  sources: Fields[];
  targets: Fields[];
  keys: Fields[];
}

const byName = (one: Fields, other: Fields) => (String(one["name"]) < String(other["name"]) ? -1 : 1);

export async function exportConfiguration({ db, masterKey }: ResourcesDependencies): Promise<ExportedConfiguration> {
  const sources = await listSources(db, ALL);
  const targets = await listTargets(db, masterKey, ALL);
  const names = new Map(targets.map(({ id, name }) => [id, name]));
  const keys = await listApiKeys(db, ALL);
  return {
    // Injected events come from this one; it has no settings that matter.
    sources: sources
      .filter(({ name }) => name !== API_SOURCE)
      .map(toSource)
      .toSorted(byName),
    targets: targets.map(toTarget).toSorted(byName),
    keys: keys
      .filter(({ revokedAt }) => revokedAt === null)
      .map(({ name, scopes, targetId, expiresAt }) => ({
        name: escapeTexts(name),
        scopes: targetId === null ? scopes : [escapeTexts(boundScope(names.get(targetId) ?? ""))],
        ...(expiresAt !== null && { expires_at: expiresAt.toISOString() }),
        key: secretOf("KEY", name),
      }))
      .toSorted(byName),
  };
}

/** Fields that are written in their own way. All others are those that the API takes and shows. */
const OWN_FIELDS = new Set(
  "name kind uri subscribed_events state headers tls signing_secret gemini_api_key".split(" "),
);

function toSource(record: SourceRecord): Fields {
  const { name, kind, secrets, geminiKey } = record;
  const usual = { ...record, ...SOURCE_DEFAULTS, schemes: [...SCHEMES_OF[kind]], reconcile: RECONCILE_DEFAULTS };
  return {
    name,
    ...(kind !== "static" && { kind }),
    ...findSettings(Object.keys(sourceReplacement.shape), showSource(record, undefined), showSource(usual, undefined)),
    // A webhook that the relay manages at Gemini gets its secrets there.
    ...(secrets.length > 0 &&
      record.upstream === null && { signing_secret: secretOf("SOURCE", name, "SIGNING_SECRET") }),
    ...(geminiKey !== null && { gemini_api_key: secretOf("SOURCE", name, "GEMINI_API_KEY") }),
  };
}

function toTarget(record: TargetRecord): Fields {
  const { name, kind, uri, chatUrl, headers, tls, subscribedEvents } = record;
  const usual = { ...record, ...defaultsOf(kind), chatUrl };
  const values = Object.keys(headers).map((header) => [header, secretOf("TARGET", name, "HEADER", header)]);
  return {
    name: escapeTexts(name),
    ...(kind !== "http" && { kind }),
    ...(kind !== "pull" && { uri: chatUrl === null ? escapeTexts(uri) : secretOf("TARGET", name, "URI") }),
    subscribed_events: subscribedEvents,
    ...findSettings(Object.keys(targetReplacement.shape), showTarget(record), showTarget(usual)),
    ...(values.length > 0 && { headers: Object.fromEntries(values) as Fields }),
    ...(tls !== null && {
      tls: {
        ...(tls.ca !== null && { ca: tls.ca }),
        ...(tls.serverName !== null && { server_name: tls.serverName }),
        ...(tls.clientCertificate !== null && { client_certificate: tls.clientCertificate }),
        ...(tls.clientKey !== null && { client_key: secretOf("TARGET", name, "CLIENT_KEY") }),
      },
    }),
    ...(!isChatKind(kind) && { signing_secret: secretOf("TARGET", name, "SIGNING_SECRET") }),
  };
}

/** The fields of a resource that do not have their defaults. @param usual the same resource with its defaults. */
function findSettings(fields: readonly string[], shown: Fields, usual: Fields): Fields {
  const changed = fields.filter(
    (field) => !OWN_FIELDS.has(field) && field in shown && !isDeepStrictEqual(shown[field], usual[field]),
  );
  return Object.fromEntries(changed.map((field) => [field, escapeTexts(shown[field])]));
}

/** A text with "${" is no placeholder. */
function escapeTexts(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("${", () => "$${");
  if (Array.isArray(value)) return value.map(escapeTexts);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, escapeTexts(each)]));
}

/** `${env:SLUICE_TARGET_BILLING_SIGNING_SECRET}` */
function secretOf(...parts: string[]): string {
  const name = parts.map((part) => part.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_")).join("_");
  return `\${env:SLUICE_${name}}`;
}
