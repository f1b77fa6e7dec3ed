// The snapshot of what the ingress needs of PostgreSQL, as bytes: sealed under a key that is derived from the master
// key. Whatever else the bytes are is told as a fault, and never thrown. Pure.

import type { MasterKey } from "@sluice/shared/settings/master-key";
import { SCHEMES_OF } from "@sluice/signature/schemes";
import type { StoredKeySet } from "@sluice/store/configuration/key-sets";
import { openSource, type StoredSource } from "@sluice/store/configuration/sources";
import { z } from "zod";

export interface SourceSnapshot {
  /** When PostgreSQL last said that this is what it has. */
  confirmedAt: Date;
  sources: readonly StoredSource[];
  keySets: readonly StoredKeySet[];
}

/** In the clear before what is sealed. The number MUST change when a version that reads it could misread this one's. */
const HEADER = Buffer.from("sluice sources 1\n");
/** Of the file, whatever its version. */
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

// A setting that is added to sources and not here does not compile; a snapshot without it does not parse.
const source = {
  id: z.string(),
  name: z.string(),
  kind: z.enum(["static", "dynamic"]),
  schemes: z.array(z.enum([...SCHEMES_OF.static, ...SCHEMES_OF.dynamic])),
  toleranceSeconds: z.number(),
  secrets: z.array(z.object({ ciphertext: bytes, expiresAt: instant.nullable() })),
  publicKeys: z.array(z.string()),
  audiences: z.array(z.string()),
  jwksUri: z.string().nullable(),
  bodyUnbound: z.enum(["reject", "mark"]),
  ingressTokens: z.array(z.object({ hash: bytes, expiresAt: instant.nullable() })),
} satisfies Record<keyof StoredSource, z.ZodType>;

const snapshot = z.object({
  confirmedAt: instant,
  sources: z.array(z.object(source)),
  keySets: z.array(z.object({ uri: z.string(), document: z.unknown(), fetchedAt: instant })),
});

export function sealSnapshot(masterKey: MasterKey, { confirmedAt, sources, keySets }: SourceSnapshot): Buffer {
  const document = z.encode(snapshot, { confirmedAt, sources: [...sources], keySets: [...keySets] });
  return Buffer.concat([HEADER, masterKey.derive(PURPOSE).encrypt(JSON.stringify(document), PURPOSE)]);
}

/** Reads a snapshot; says what is wrong with it. */
export function unsealSnapshot(masterKey: MasterKey, file: Buffer): { snapshot: SourceSnapshot } | { fault: string } {
  if (!file.subarray(0, MAGIC.length).equals(MAGIC)) return { fault: "it is not a snapshot" };
  if (!file.subarray(0, HEADER.length).equals(HEADER)) return { fault: "it is of another version, or damaged" };
  let text: string;
  try {
    text = masterKey.derive(PURPOSE).decrypt(file.subarray(HEADER.length), PURPOSE);
  } catch {
    return { fault: "it is damaged, or of another MASTER_KEY" };
  }
  try {
    const read = snapshot.parse(JSON.parse(text));
    for (const each of read.sources) openSource(masterKey, each);
    return { snapshot: read };
  } catch {
    return { fault: "it is of another version" };
  }
}
