// The keys of the Gemini API that sources hold: encrypted, shown truncated, and never read back by anybody.

import { createHmac } from "node:crypto";

import { eq } from "drizzle-orm";

import type { MasterKey } from "@sluice/shared/settings/master-key";
import { Secret } from "@sluice/shared/settings/secret";

import type { Connection } from "../connection/database.ts";
import { geminiKeys, sources } from "../schema.ts";
import { GEMINI_SOURCE } from "./sources.ts";

export interface GeminiKey {
  key: Secret<string>;
  /** The same for the same key, and says nothing about it: sources that share a key share its budget and its jobs. */
  keyId: string;
}

/** A source that can manage its side of Gemini. */
export interface SourceWithKey extends GeminiKey {
  sourceId: string;
  sourceName: string;
}

const KEY_ID_PURPOSE = "gemini-key-id";
const KEY_ID_LENGTH = 16;

export const truncateGeminiKey = (text: string): string => `...${text.slice(-4)}`;

export function toGeminiKey(masterKey: MasterKey, key: Secret<string>): GeminiKey {
  const digest = createHmac("sha256", masterKey.deriveKey(KEY_ID_PURPOSE)).update(key.reveal()).digest("hex");
  return { key, keyId: digest.slice(0, KEY_ID_LENGTH) };
}

/** Sets, replaces or (null) removes the key of a source. */
export async function setGeminiKey(
  tx: Connection,
  masterKey: MasterKey,
  sourceId: string,
  key: Secret<string> | null,
): Promise<void> {
  await tx.orm.delete(geminiKeys).where(eq(geminiKeys.sourceId, sourceId));
  if (key === null) return;
  await tx.orm.insert(geminiKeys).values({
    sourceId,
    ciphertext: masterKey.encrypt(key.reveal(), sourceId),
    truncated: truncateGeminiKey(key.reveal()),
    keyId: toGeminiKey(masterKey, key).keyId,
  });
}

/** Whether this is the key that a source holds; null asks whether it holds none. */
export async function isGeminiKeyOf(
  on: Connection,
  masterKey: MasterKey,
  sourceId: string,
  key: Secret<string> | null,
): Promise<boolean> {
  const [row] = await on.orm.select().from(geminiKeys).where(eq(geminiKeys.sourceId, sourceId));
  return row?.keyId === (key === null ? undefined : toGeminiKey(masterKey, key).keyId);
}

/**
 * The sources that hold a key, and the source `gemini` where the process has one for it. A key of its own comes before that of
 * the process.
 * @param environmentKey `GEMINI_API_KEY`.
 * @param sourceId only this source.
 * @throws SluiceError `master_key_mismatch`
 */
export async function listSourcesWithKey(
  db: Connection,
  masterKey: MasterKey,
  environmentKey: Secret<string> | undefined,
  sourceId?: string,
): Promise<SourceWithKey[]> {
  const rows = await db.orm
    .select({ id: sources.id, name: sources.name, ciphertext: geminiKeys.ciphertext })
    .from(sources)
    .leftJoin(geminiKeys, eq(geminiKeys.sourceId, sources.id))
    .where(sourceId === undefined ? undefined : eq(sources.id, sourceId))
    .orderBy(sources.id);
  return rows.flatMap(({ id, name, ciphertext }) => {
    const key =
      ciphertext === null
        ? name === GEMINI_SOURCE
          ? environmentKey
          : undefined
        : new Secret(masterKey.decrypt(ciphertext, id));
    return key === undefined ? [] : [{ sourceId: id, sourceName: name, ...toGeminiKey(masterKey, key) }];
  });
}
