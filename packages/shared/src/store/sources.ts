// Sources: where events come from. Rows in and out; the gateway's copy in memory is made of `loadSources`.

import { asc, desc, eq, lt } from "drizzle-orm";

import { newId } from "../ids.ts";
import type { MasterKey } from "../master-key.ts";
import { type SourceKind, sources, sourceSecrets } from "../schema.ts";
import type { SigningSecret } from "../signature/secret.ts";
import type { Scheme } from "../signature/verify.ts";
import { type Database, hasSqlState } from "./database.ts";
import { SluiceError } from "../errors.ts";
import { type HmacKey, openSecret, sealSecret, type SecretRow } from "./secrets.ts";

/** A source with what it takes to verify for it. */
export interface Source {
  id: string;
  name: string;
  kind: SourceKind;
  schemes: Scheme[];
  toleranceSeconds: number;
  hmacKeys: HmacKey[];
}

export type SourceRecord = typeof sources.$inferSelect & { secrets: SecretRow[] };

export interface SourceSettings {
  name: string;
  toleranceSeconds: number;
}

/** The source that exists from the start; Gemini's webhooks are pointed at `/in/gemini`. */
export const GEMINI_SOURCE = "gemini";

const UNIQUE_VIOLATION = "23505";

const nameTaken = (name: string, cause: unknown) =>
  new SluiceError("name_taken", `There is already a source named "${name}"`, {
    faults: [{ pointer: "/name", detail: "is the name of another source" }],
    cause,
  });

interface Selection {
  id?: string;
  /** Only sources with a smaller id, newest first, and at most so many. */
  page?: { beforeId: string | undefined; limit: number };
}

async function select(db: Database, { id, page }: Selection): Promise<SourceRecord[]> {
  const chosen = db.orm
    .select()
    .from(sources)
    .where(
      id !== undefined ? eq(sources.id, id) : page?.beforeId !== undefined ? lt(sources.id, page.beforeId) : undefined,
    )
    .orderBy(desc(sources.id))
    .limit(page?.limit ?? 1_000_000)
    .as("sources");
  // One statement, so that a source is never seen without the secrets it was committed with.
  const rows = await db.orm
    .select()
    .from(chosen)
    .leftJoin(sourceSecrets, eq(sourceSecrets.sourceId, chosen.id))
    .orderBy(desc(chosen.id), asc(sourceSecrets.id));
  const records = new Map<string, SourceRecord>();
  for (const { sources: source, source_secrets: secret } of rows) {
    const record = records.get(source.id) ?? { ...source, secrets: [] };
    if (secret !== null) record.secrets.push(secret);
    records.set(source.id, record);
  }
  return [...records.values()];
}

export async function listSources(
  db: Database,
  page: { beforeId: string | undefined; limit: number },
): Promise<SourceRecord[]> {
  return select(db, { page });
}

export async function getSource(db: Database, id: string): Promise<SourceRecord | undefined> {
  return (await select(db, { id }))[0];
}

/** The id of the source with this name. */
export async function findSourceId(db: Database, name: string): Promise<string | undefined> {
  return (await db.orm.select({ id: sources.id }).from(sources).where(eq(sources.name, name)))[0]?.id;
}

/** @throws SluiceError `name_taken` */
export async function createSource(
  db: Database,
  masterKey: MasterKey,
  settings: SourceSettings,
  secret: SigningSecret | undefined,
): Promise<string> {
  const id = newId();
  try {
    await db.orm.transaction(async (tx) => {
      await tx.insert(sources).values({ id, ...settings, kind: "static", schemes: ["v1"] });
      if (secret !== undefined)
        await tx.insert(sourceSecrets).values({ ...sealSecret(masterKey, id, secret), sourceId: id });
    });
  } catch (error) {
    throw hasSqlState(error, UNIQUE_VIOLATION) ? nameTaken(settings.name, error) : error;
  }
  return id;
}

/** Changes settings; a secret, when given, replaces all earlier ones at once. @returns whether the source exists. */
export async function updateSource(
  db: Database,
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
      if (secret !== undefined) {
        await tx.delete(sourceSecrets).where(eq(sourceSecrets.sourceId, id));
        await tx.insert(sourceSecrets).values({ ...sealSecret(masterKey, id, secret), sourceId: id });
      }
      return true;
    });
  } catch (error) {
    throw hasSqlState(error, UNIQUE_VIOLATION) ? nameTaken(settings.name ?? "", error) : error;
  }
}

/** Its events and deliveries stay in the log. @returns whether it existed. */
export async function deleteSource(db: Database, id: string): Promise<boolean> {
  const deleted = await db.orm.delete(sources).where(eq(sources.id, id));
  return deleted.rowCount === 1;
}

/** Makes the source `gemini` unless it exists. Safe to run from several processes at once. */
export async function ensureGeminiSource(db: Database): Promise<void> {
  await db.orm
    .insert(sources)
    .values({ id: newId(), name: GEMINI_SOURCE, kind: "static", schemes: ["v1"], toleranceSeconds: 300 })
    .onConflictDoNothing({ target: sources.name });
}

/** Every source with its keys in the clear. */
export async function loadSources(db: Database, masterKey: MasterKey): Promise<Source[]> {
  const records = await select(db, {});
  return records.map(({ secrets, ...record }) => ({
    ...record,
    hmacKeys: secrets.map((secret) => openSecret(masterKey, record.id, secret)),
  }));
}
