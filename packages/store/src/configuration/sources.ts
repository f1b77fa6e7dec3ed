// Sources: where events come from. Reads and writes their rows; `openSource` makes what the gateway holds in memory.

import type { KeyObject } from "node:crypto";

import { and, asc, desc, eq, getTableColumns, inArray, type SQL } from "drizzle-orm";

import { newId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { IngressToken } from "@sluice/signature/ingress-token";
import { type BodyUnboundPolicy, SCHEMES_OF, type Scheme } from "@sluice/signature/schemes";
import { type HmacKey, readPublicKey, type SigningSecret } from "@sluice/signature/secret";

import type { Connection, Database } from "../connection/database.ts";
import { hasSqlState } from "../connection/postgres-errors.ts";
import { ALL, type Page, withinPage } from "../log/page.ts";
import {
  geminiKeys,
  ingressTokens,
  type LostSecretKind,
  reconciliations,
  type SourceKind,
  sources,
  sourceSecrets,
  upstreams,
} from "../schema.ts";
import { type IngressTokenRow, insertIngressToken, type NewIngressToken } from "./ingress-tokens.ts";
import { lostOf } from "./lost-secrets.ts";
import { isReferred, nameTaken, type Reference, withName } from "./names.ts";
import { RECONCILE_DEFAULTS, type ReconcileSettings } from "./reconciliation.ts";
import { openSecret, type SecretRow } from "./secrets.ts";
import { insertSourceSecret, replaceSourceSecrets } from "./source-secrets.ts";

/** A source with everything that verifying its webhooks needs. */
export interface Source {
  id: string;
  name: string;
  kind: SourceKind;
  schemes: Scheme[];
  toleranceSeconds: number;
  /** The keys of the scheme `v1`. */
  hmacKeys: HmacKey[];
  /** The configured `whpk_` keys of the scheme `v1a`, beside those of the key set. */
  publicKeys: KeyObject[];
  /** A JWT must have one of these audiences. */
  audiences: string[];
  /** A JWT must come from one of these issuers; empty means any. */
  issuers: string[];
  /** A JWT must have one of these types; empty means any. */
  tokenTypes: string[];
  /** The longest time from `iat` to `exp` of a JWT. */
  maxTokenSeconds: number;
  /** Where the key set of a dynamic source is; null means Google's. */
  jwksUri: string | null;
  bodyUnbound: BodyUnboundPolicy;
  /** The path to a dynamic source must contain one of these. */
  ingressTokens: IngressToken[];
}

/** A {@link Source} as it is stored: its secrets are encrypted, and bound to its id. */
export type StoredSource = Omit<Source, "hmacKeys" | "publicKeys" | "ingressTokens"> & {
  secrets: { ciphertext: Buffer; expiresAt: Date | null }[];
  /** `whpk_…` */
  publicKeys: string[];
  ingressTokens: { hash: Buffer; expiresAt: Date | null }[];
};

/** The rows of a source: a static source has secrets, a dynamic source has tokens. */
export type SourceRecord = typeof sources.$inferSelect & {
  secrets: SecretRow[];
  ingressTokens: IngressTokenRow[];
  /** How its key of the Gemini API is shown; null without one. */
  geminiKey: string | null;
  /** Its webhook at Gemini; null without one. */
  upstream: Pick<typeof upstreams.$inferSelect, "webhookId" | "seen" | "drift"> | null;
  reconcile: ReconcileSettings;
  /** What it lacks since the master key was lost. */
  lost: LostSecretKind[];
};

export interface SourceSettings {
  name: string;
  schemes: Scheme[];
  toleranceSeconds: number;
  audiences: string[];
  issuers: string[];
  tokenTypes: string[];
  maxTokenSeconds: number;
  jwksUri: string | null;
  bodyUnbound: BodyUnboundPolicy;
  /** `whpk_…` */
  publicKeys: string[];
  /** The file of settings that manages the source; null for none. */
  managedBy: string | null;
  /** After how many seconds without an event the source counts as failing; null for never. */
  expectEverySeconds: number | null;
}

export const SOURCE_DEFAULTS = {
  toleranceSeconds: 300,
  audiences: [],
  issuers: [],
  tokenTypes: [],
  maxTokenSeconds: 3_600,
  jwksUri: null,
  bodyUnbound: "reject",
  publicKeys: [],
  managedBy: null,
  expectEverySeconds: null,
} satisfies Partial<SourceSettings>;

/** The built-in source of static webhooks, at `/in/gemini`. */
export const GEMINI_SOURCE = "gemini";

/** The source of events that are sent through the API. */
export const API_SOURCE = "api";

/** The kind of each source that exists from the start, by name. */
export const BUILT_IN_SOURCES: Readonly<Record<string, SourceKind>> = {
  [GEMINI_SOURCE]: "static",
  "gemini-dynamic": "dynamic",
  [API_SOURCE]: "static",
};

const UNIQUE_VIOLATION = "23505";

async function selectSources(db: Connection, page: Page, condition?: SQL): Promise<SourceRecord[]> {
  const chosen = db.orm
    .select({ ...getTableColumns(sources), lost: lostOf(sources) })
    .from(sources)
    .where(and(condition, withinPage(sources.id, page)))
    .orderBy(desc(sources.id))
    .limit(page.limit)
    .as("sources");
  // One statement, so that a source is always read together with the secrets it was committed with. No source has both
  // secrets and tokens, so that the second join multiplies no rows.
  const rows = await db.orm
    .select()
    .from(chosen)
    .leftJoin(sourceSecrets, eq(sourceSecrets.sourceId, chosen.id))
    .leftJoin(ingressTokens, eq(ingressTokens.sourceId, chosen.id))
    .leftJoin(geminiKeys, eq(geminiKeys.sourceId, chosen.id))
    .leftJoin(upstreams, eq(upstreams.sourceId, chosen.id))
    .leftJoin(reconciliations, eq(reconciliations.sourceId, chosen.id))
    .orderBy(desc(chosen.id), asc(sourceSecrets.id), asc(ingressTokens.id));
  const records = new Map<string, SourceRecord>();
  for (const { sources: source, source_secrets: secret, ingress_tokens: token, upstreams: upstream, ...one } of rows) {
    const geminiKey = one.gemini_keys?.truncated ?? null;
    const { sourceId: _, ...reconcile } = one.reconciliations ?? { sourceId: source.id, ...RECONCILE_DEFAULTS };
    const known = { geminiKey, upstream, reconcile };
    const record = records.get(source.id) ?? { ...source, secrets: [], ingressTokens: [], ...known };
    if (secret !== null) record.secrets.push(secret);
    if (token !== null) record.ingressTokens.push(token);
    records.set(source.id, record);
  }
  return [...records.values()];
}

/** @param name the name that a listed source must have; undefined for all sources. */
export async function listSources(db: Connection, page: Page, name?: string): Promise<SourceRecord[]> {
  return selectSources(db, page, withName(sources.name, name));
}

export async function getSource(db: Connection, reference: Reference): Promise<SourceRecord | undefined> {
  return (await selectSources(db, ALL, isReferred(sources, reference)))[0];
}

/**
 * Reads a source and locks it until the transaction ends, so that it cannot change in between. MUST run in a
 * transaction.
 */
export async function getSourceForChange(tx: Connection, reference: Reference): Promise<SourceRecord | undefined> {
  const found = tx.orm.select({ id: sources.id }).from(sources).where(isReferred(sources, reference)).for("update");
  const [locked] = await found;
  return locked && getSource(tx, locked.id);
}

/** The names of sources by their ids. A deleted source has none. */
export async function readSourceNames(db: Connection, ids: readonly string[]): Promise<Map<string, string>> {
  const { id, name } = sources;
  const rows = await db.orm
    .select({ id, name })
    .from(sources)
    .where(inArray(id, [...ids]));
  return new Map(rows.map((row) => [row.id, row.name]));
}

/** The id of the source with this name. */
export async function findSourceId(db: Connection, name: string): Promise<string | undefined> {
  return (await db.orm.select({ id: sources.id }).from(sources).where(eq(sources.name, name)))[0]?.id;
}

/**
 * Makes a static source with its secret, or a dynamic one with a first ingress token.
 * @throws SluiceError `name_taken`
 */
export async function insertSource(
  db: Connection,
  masterKey: MasterKey,
  settings: SourceSettings,
  source: { kind: "static"; secret: SigningSecret } | { kind: "dynamic" },
): Promise<{ id: string; token: NewIngressToken | undefined }> {
  const id = newId();
  try {
    return await db.orm.transaction(async (tx) => {
      await tx.insert(sources).values({ id, ...settings, kind: source.kind });
      if (source.kind === "dynamic") return { id, token: await insertIngressToken(tx, id) };
      await insertSourceSecret(tx, masterKey, id, source.secret);
      return { id, token: undefined };
    });
  } catch (error) {
    throw hasSqlState(error, UNIQUE_VIOLATION) ? nameTaken("source", settings.name, error) : error;
  }
}

/** Changes settings. A secret, if given, replaces all earlier ones at once. @returns whether the source exists. */
export async function changeSourceSettings(
  db: Connection,
  masterKey: MasterKey,
  id: string,
  settings: Partial<SourceSettings>,
  secret: SigningSecret | undefined,
): Promise<boolean> {
  try {
    return await db.orm.transaction(async (tx) => {
      const updated = await tx
        .update(sources)
        .set({ ...settings, updatedAt: new Date() })
        .where(eq(sources.id, id));
      if (updated.rowCount === 0) return false;
      if (secret !== undefined) await replaceSourceSecrets(tx, masterKey, id, secret);
      return true;
    });
  } catch (error) {
    throw hasSqlState(error, UNIQUE_VIOLATION) ? nameTaken("source", settings.name ?? "", error) : error;
  }
}

/** Deletes a source. Its events and deliveries stay in the log. @returns whether it existed. */
export async function removeSource(db: Connection, id: string): Promise<boolean> {
  const deleted = await db.orm.delete(sources).where(eq(sources.id, id));
  return deleted.rowCount === 1;
}

/** Makes the built-in sources unless they exist. Safe to run from several processes at once. */
export async function ensureBuiltInSources(db: Database): Promise<void> {
  const rows = Object.entries(BUILT_IN_SOURCES).map(([name, kind]) => ({
    id: newId(),
    ...SOURCE_DEFAULTS,
    name,
    kind,
    schemes: [...SCHEMES_OF[kind]],
  }));
  await db.orm.insert(sources).values(rows).onConflictDoNothing({ target: sources.name });
}

/** Loads every source with its secrets encrypted; {@link openSource} decrypts them. Verifying needs nothing of Gemini's side. */
export async function loadStoredSources(db: Database): Promise<StoredSource[]> {
  return (await selectSources(db, ALL)).map((record) => {
    const {
      geminiKey: _,
      upstream: __,
      reconcile: ___,
      managedBy: ____,
      expectEverySeconds: _____,
      lost: ______,
      ...stored
    } = record;
    return stored;
  });
}

/** @throws SluiceError `master_key_mismatch`, `invalid_secret` */
export function openSource(masterKey: MasterKey, stored: StoredSource): Source {
  const { secrets, publicKeys, ingressTokens: tokens, ...settings } = stored;
  return {
    ...settings,
    hmacKeys: secrets.map((secret) => openSecret(masterKey, stored.id, secret)),
    publicKeys: publicKeys.map((text) => openPublicKey(stored.name, text)),
    ingressTokens: tokens.map(({ hash, expiresAt }) => ({ hash, expiresAtMs: expiresAt?.getTime() })),
  };
}

function openPublicKey(source: string, text: string): KeyObject {
  const read = readPublicKey(text);
  if ("fault" in read) throw new SluiceError("invalid_secret", `A public key of the source "${source}" ${read.fault}`);
  return read.key;
}
