// Encrypts the sources and key sets that the ingress needs into the bytes of a snapshot, with a key that is derived from
// the master key. Bytes that are not a usable snapshot give a fault and never an exception. Pure.

import { z } from "zod";

import type { MasterKey } from "@sluice/shared/settings/master-key";
import { SCHEMES_OF } from "@sluice/signature/schemes";
import type { StoredKeySet } from "@sluice/store/configuration/key-sets";
import { openSource, SOURCE_DEFAULTS, type StoredSource } from "@sluice/store/configuration/sources";

export interface SourceSnapshot {
  /** When PostgreSQL last confirmed the sources and key sets. */
  confirmedAt: Date;
  /** The identity of the relay. Undefined in a snapshot of an older version. */
  relayId: string | undefined;
  sources: readonly StoredSource[];
  keySets: readonly StoredKeySet[];
}

/**
 * The plain text before the encrypted part. The number MUST change with the format when a version that reads the old number
 * could misread the new format.
 */
const HEADER = Buffer.from("sluice sources 1\n");
/** The start of every snapshot, in all versions. */
const MAGIC = HEADER.subarray(0, "sluice sources ".length);
const PURPOSE = "sluice source snapshot";

const bytes = z.codec(z.base64(), z.instanceof(Buffer), {
  decode: (text) => Buffer.from(text, "base64"),
  encode: (buffer) => buffer.toString("base64"),
});
const instant = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});

// When a setting of StoredSource is missing here, this does not compile. A snapshot without the setting does not parse.
const source = {
  id: z.string(),
  name: z.string(),
  kind: z.enum(["static", "dynamic"]),
  schemes: z.array(z.enum([...SCHEMES_OF.static, ...SCHEMES_OF.dynamic])),
  toleranceSeconds: z.number(),
  secrets: z.array(z.object({ ciphertext: bytes, expiresAt: instant.nullable() })),
  publicKeys: z.array(z.string()),
  audiences: z.array(z.string()),
  // Version 0.1 wrote snapshots without these three.
  issuers: z.array(z.string()).default(SOURCE_DEFAULTS.issuers),
  tokenTypes: z.array(z.string()).default(SOURCE_DEFAULTS.tokenTypes),
  maxTokenSeconds: z.number().default(SOURCE_DEFAULTS.maxTokenSeconds),
  jwksUri: z.string().nullable(),
  bodyUnbound: z.enum(["reject", "mark"]),
  ingressTokens: z.array(z.object({ hash: bytes, expiresAt: instant.nullable() })),
} satisfies Record<keyof StoredSource, z.ZodType>;

const snapshot = z.object({
  confirmedAt: instant,
  relayId: z.uuid().optional(),
  sources: z.array(z.object(source)),
  keySets: z.array(z.object({ uri: z.string(), document: z.unknown(), fetchedAt: instant })),
});

export function sealSnapshot(masterKey: MasterKey, { confirmedAt, relayId, sources, keySets }: SourceSnapshot): Buffer {
  const document = z.encode(snapshot, { confirmedAt, relayId, sources: [...sources], keySets: [...keySets] });
  return Buffer.concat([HEADER, masterKey.derive(PURPOSE).encrypt(JSON.stringify(document), PURPOSE)]);
}

/** Reads the bytes of a snapshot. The fault says why they are not usable. */
export function unsealSnapshot(masterKey: MasterKey, file: Buffer): { snapshot: SourceSnapshot } | { fault: string } {
  if (!file.subarray(0, MAGIC.length).equals(MAGIC)) return { fault: "it is not a snapshot" };
  if (!file.subarray(0, HEADER.length).equals(HEADER)) return { fault: "another version wrote it, or it is damaged" };
  let text: string;
  try {
    text = masterKey.derive(PURPOSE).decrypt(file.subarray(HEADER.length), PURPOSE);
  } catch {
    return { fault: "it is damaged, or was written with another MASTER_KEY" };
  }
  try {
    const read = snapshot.parse(JSON.parse(text));
    for (const each of read.sources) openSource(masterKey, each);
    return { snapshot: { ...read, relayId: read.relayId } };
  } catch {
    return { fault: "another version wrote it" };
  }
}
