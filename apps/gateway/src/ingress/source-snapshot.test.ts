// Tests that a snapshot comes back as it was written, and that any other content of the file is a fault and not a crash.

import { randomBytes } from "node:crypto";

import { describe, expect } from "vitest";

import { MasterKey } from "@sluice/shared/settings/master-key";
import { hashIngressToken } from "@sluice/signature/ingress-token";
import { generateSigningSecret, readSigningSecret } from "@sluice/signature/secret";
import { createIngressToken } from "@sluice/store/configuration/ingress-tokens";
import { saveKeySet, loadKeySets } from "@sluice/store/configuration/key-sets";
import { rotateSourceSecret } from "@sluice/store/configuration/source-secrets";
import {
  insertSource,
  ensureBuiltInSources,
  loadStoredSources,
  openSource,
  type Source,
  SOURCE_DEFAULTS,
} from "@sluice/store/configuration/sources";
import { readRelayId } from "@sluice/store/connection/configuration-row";

import { test as databaseTest } from "../../../../tests/support/database.ts";
import { loadSources } from "../../../../tests/support/load-sources.ts";
import { newEd25519Key, newRsaKey } from "../../../../tests/support/signing/test-webhooks.ts";
import { sealSnapshot, type SourceSnapshot, unsealSnapshot } from "./source-snapshot.ts";

const PUBLIC_KEY = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
const masterKey = new MasterKey(randomBytes(32));

/** A database with every kind of source, and its snapshot. */
const test = databaseTest.extend("world", { scope: "file" }, async ({ database: { db } }) => {
  await ensureBuiltInSources(db);
  const settings = { ...SOURCE_DEFAULTS, toleranceSeconds: 42 };
  const secret = generateSigningSecret();
  const { id: rotated } = await insertSource(
    db,
    masterKey,
    { ...settings, name: "rotated", schemes: ["v1"] },
    { kind: "static", secret },
  );
  await rotateSourceSecret(db, masterKey, rotated, generateSigningSecret(), "revoke_after_24h");
  const { id: dynamic, token } = await insertSource(
    db,
    masterKey,
    {
      ...settings,
      name: "dynamic-ü",
      schemes: ["v1a", "jwt"],
      audiences: ["https://a.example/", ""],
      jwksUri: "https://keys.example/jwks.json",
      bodyUnbound: "mark",
      publicKeys: [PUBLIC_KEY],
    },
    { kind: "dynamic" },
  );
  await createIngressToken(db, dynamic, "revoke_after_24h");
  const document = { keys: [newEd25519Key("e").jwk, newRsaKey("r").jwk], ünknown: [null, 1.5, "\n"] };
  await saveKeySet(db, { uri: "https://keys.example/jwks.json", document, fetchedAt: new Date(1_700_000_000_123) });
  const snapshot: SourceSnapshot = {
    confirmedAt: new Date(1_700_000_000_456),
    relayId: await readRelayId(db),
    sources: await loadStoredSources(db),
    keySets: await loadKeySets(db),
  };
  return { db, snapshot, secret, token };
});

/** The source with its keys as text, because KeyObjects do not compare by value. */
const comparable = ({ hmacKeys, publicKeys, ...source }: Source) => ({
  ...source,
  createdAt: undefined,
  updatedAt: undefined,
  hmacKeys: hmacKeys.map(({ key, expiresAtMs }) => [key.export().toString("base64"), expiresAtMs]),
  publicKeys: publicKeys.map((key) => key.export({ format: "jwk" })),
});

const unseal = (file: Buffer, key = masterKey) => unsealSnapshot(key, file);

describe("a snapshot", () => {
  test("contains the sources in PostgreSQL, of every kind, and their key sets", async ({ world }) => {
    const { db, snapshot, secret, token } = world;
    const read = unseal(sealSnapshot(masterKey, snapshot));
    if ("fault" in read) throw new Error(read.fault);
    const opened = read.snapshot.sources.map((source) => openSource(masterKey, source));
    const loaded = await loadSources(db, masterKey);
    expect(opened.map(comparable)).toEqual(loaded.map(comparable));
    expect(opened.map(({ name }) => name).toSorted()).toEqual([
      "api",
      "dynamic-ü",
      "gemini",
      "gemini-dynamic",
      "rotated",
    ]);
    expect(read.snapshot.keySets).toEqual(snapshot.keySets);
    expect(read.snapshot.confirmedAt).toEqual(snapshot.confirmedAt);
    expect(read.snapshot.relayId).toMatch(/^[0-9a-f-]{36}$/);
    expect(read.snapshot.relayId).toBe(snapshot.relayId);

    // The comparison above is with the database as it is now. This checks the values that the test stored there.
    const rotated = opened.find(({ name }) => name === "rotated");
    expect(rotated).toMatchObject({ kind: "static", schemes: ["v1"], toleranceSeconds: 42 });
    const known = readSigningSecret(secret.text);
    if ("fault" in known) throw new Error(known.fault);
    const old = rotated?.hmacKeys.find(({ key }) => key.equals(known.secret.key));
    expect(old?.expiresAtMs).toBeGreaterThan(Date.now());
    expect(rotated?.hmacKeys.filter(({ expiresAtMs }) => expiresAtMs === undefined)).toHaveLength(1);
    const dynamic = opened.find(({ name }) => name === "dynamic-ü");
    expect(dynamic).toMatchObject({ bodyUnbound: "mark", audiences: ["https://a.example/", ""] });
    const hash = hashIngressToken(token?.text ?? "");
    const first = dynamic?.ingressTokens.find((each) => each.hash.equals(hash));
    expect(first?.expiresAtMs).toBeGreaterThan(Date.now());
    expect(dynamic?.ingressTokens).toHaveLength(2);
  });

  test("reveals nothing of its content", ({ world }) => {
    const file = sealSnapshot(masterKey, world.snapshot).toString("latin1");
    for (const hidden of ["gemini", "keys.example", PUBLIC_KEY.slice(5), "ciphertext"]) {
      expect(file).not.toContain(hidden);
    }
  });

  test("of a version without identities is read", ({ world }) => {
    const read = unseal(sealSnapshot(masterKey, { ...world.snapshot, relayId: undefined }));
    expect(read).toMatchObject({ snapshot: { relayId: undefined, confirmedAt: world.snapshot.confirmedAt } });
  });

  test("with another master key, or sealed for another purpose, is a fault", ({ world }) => {
    const file = sealSnapshot(masterKey, world.snapshot);
    const other = { fault: "it is damaged, or was written with another MASTER_KEY" };
    expect(unseal(file, new MasterKey(randomBytes(32)))).toEqual(other);
    expect(unseal(file, masterKey.derive("sluice source snapshot"))).toEqual(other);
    const header = file.subarray(0, file.indexOf("\n") + 1);
    expect(unseal(Buffer.concat([header, masterKey.encrypt("{}", "sluice source snapshot")]))).toEqual(other);
  });

  test("that is cut off anywhere, is longer, or has one changed bit is a fault", ({ world }) => {
    // A small snapshot, so that the test can try each length and each bit.
    const file = sealSnapshot(masterKey, { ...world.snapshot, sources: [], keySets: [] });
    expect(unseal(file)).toHaveProperty("snapshot");
    for (let length = 0; length < file.length; length++) {
      expect(unseal(file.subarray(0, length)), `${length} bytes`).toHaveProperty("fault");
    }
    expect(unseal(Buffer.concat([file, Buffer.of(0)]))).toHaveProperty("fault");
    for (let bit = 0; bit < 8 * file.length; bit++) {
      const damaged = Buffer.from(file);
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(unseal(damaged), `bit ${bit}`).toHaveProperty("fault");
    }
  });

  test("of another version is a fault, recognized by its header or by its content", ({ world }) => {
    const file = sealSnapshot(masterKey, world.snapshot);
    const end = file.indexOf("\n");
    const newer = Buffer.concat([Buffer.from("sluice sources 2"), file.subarray(end)]);
    expect(unseal(newer)).toEqual({ fault: "another version wrote it, or it is damaged" });
    expect(unseal(Buffer.from("SQLite format 3"))).toEqual({ fault: "it is not a snapshot" });
    const sealing = masterKey.derive("sluice source snapshot");
    const documents = [
      "",
      "null",
      "{}",
      // A source without a setting that this version needs.
      JSON.stringify({ confirmedAt: new Date(), sources: [{ id: "a", name: "a", kind: "static" }], keySets: [] }),
      // A secret that cannot be decrypted.
      JSON.stringify({
        confirmedAt: new Date(),
        sources: [
          {
            ...world.snapshot.sources[0],
            ingressTokens: [],
            secrets: [{ ciphertext: "AAAA", expiresAt: null }],
          },
        ],
        keySets: [],
      }),
    ];
    for (const document of documents) {
      const sealed = sealing.encrypt(document, "sluice source snapshot");
      expect(unseal(Buffer.concat([file.subarray(0, end + 1), sealed]))).toEqual({ fault: "another version wrote it" });
    }
  });
});
