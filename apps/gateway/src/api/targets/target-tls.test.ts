// The settings of TLS of a target: what the API takes, shows and never shows.

import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";

import { readId } from "@sluice/shared/domain/ids";
import { getTarget } from "@sluice/store/configuration/targets";
import { targetsPart } from "@sluice/store/configuration/targets-part";
import { beforeAll, describe, expect } from "vitest";

import { type Answer, pointersOf, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { hasOpenssl, readNewCertificates, type TestCertificates } from "../../../../../tests/support/certificates.ts";

const uri = "https://billing.internal/hooks";
const create = (api: TestApi, body: object) =>
  api.call("POST", "/v1/targets", { body: { uri, subscribed_events: ["*"], ...body } });
const change = (api: TestApi, { body }: Answer, fields: object) =>
  api.call("PATCH", `/v1/targets/${body.id}`, { body: fields });
const uuidOf = ({ body }: Answer) => readId("tgt", body.id) ?? "";
const storedTls = async (api: TestApi, target: Answer) =>
  (await getTarget(api.db, api.masterKey, uuidOf(target)))?.tls ?? null;

const shown = (pem: string) => {
  const certificate = new X509Certificate(pem);
  return {
    subject: certificate.subject.replaceAll("\n", ", "),
    fingerprint_sha256: certificate.fingerprint256,
    expires_at: certificate.validToDate.toISOString(),
  };
};

describe.runIf(hasOpenssl())("the settings of TLS", () => {
  let own: TestCertificates;
  let other: TestCertificates;
  let client: { client_certificate: string; client_key: string };
  beforeAll(() => {
    own = readNewCertificates();
    other = readNewCertificates();
    client = { client_certificate: own.clientCertificate, client_key: own.clientKey };
  });
  test("certificates are shown by what identifies them, and the key is encrypted and nowhere shown", async ({
    api,
  }) => {
    const target = await create(api, { tls: { ca: own.ca, server_name: "a.internal", ...client } });
    expect(target.status).toBe(201);
    expect(target.body.tls).toEqual({
      ca: [shown(own.ca)],
      server_name: "a.internal",
      client_certificate: shown(own.clientCertificate),
    });
    expect(target.body.tls.client_certificate.subject).toBe("O=test, CN=client");
    const { rows } = await api.db.pool.query("SELECT targets::text AS row FROM targets WHERE id = $1", [
      uuidOf(target),
    ]);
    const audit = await api.call("GET", `/v1/audit?resource=${target.body.id}`);
    expect(audit.body.data[0].after.tls).toEqual(target.body.tls);
    for (const text of [rows[0].row, JSON.stringify(audit.body), JSON.stringify(target.body)]) {
      expect(text).not.toContain("PRIVATE KEY");
    }
    const stored = await storedTls(api, target);
    expect(createPrivateKey(stored?.clientKey ?? "").equals(createPrivateKey(own.clientKey))).toBe(true);
    const loaded = (await targetsPart(api.masterKey).load(api.db, undefined)).value.get(uuidOf(target));
    expect(loaded?.tls).toEqual(stored);
  });

  test("a target without them shows null, and null removes them", async ({ api }) => {
    const target = await create(api, {});
    expect(target.body.tls).toBeNull();
    expect((await change(api, target, { tls: { server_name: "a.internal" } })).body.tls).toEqual({
      ca: [],
      server_name: "a.internal",
      client_certificate: null,
    });
    expect((await change(api, target, { tls: null })).body.tls).toBeNull();
    expect((await create(api, { tls: {} })).body.tls).toBeNull();
  });

  test("fields that are left out stay, and null removes one", async ({ api }) => {
    const target = await create(api, { tls: { ca: own.ca, ...client } });
    expect((await change(api, target, { name: "n" })).body.tls).toEqual(target.body.tls);
    const named = await change(api, target, { tls: { server_name: "a.internal" } });
    expect(named.body.tls).toEqual({ ...target.body.tls, server_name: "a.internal" });
    expect((await change(api, target, { tls: { ca: null } })).body.tls).toEqual({ ...named.body.tls, ca: [] });
    expect((await change(api, target, { tls: { client_certificate: null } })).body.tls).toEqual({
      ca: [],
      server_name: "a.internal",
      client_certificate: null,
    });
    expect((await storedTls(api, target))?.clientKey).toBeNull();
  });

  test("a renewed certificate may keep the stored key", async ({ api }) => {
    const target = await create(api, { tls: client });
    const renewed = { tls: { client_certificate: own.clientCertificate + own.ca } };
    expect((await change(api, target, renewed)).body.tls).toEqual(target.body.tls);
    expect((await storedTls(api, target))?.clientCertificate).toContain(new X509Certificate(own.ca).toString());
  });

  test("what cannot serve is refused by the name of its field", async ({ api }) => {
    const encrypted = createPrivateKey(own.clientKey).export({
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "p",
    });
    const weak = generateKeyPairSync("rsa", { modulusLength: 512 }).privateKey.export({ type: "pkcs8", format: "pem" });
    const damaged = own.ca.replace(/^MII./m, "AAAA");
    for (const [tls, pointer, detail] of [
      [{ ca: "x" }, "/tls/ca", "must be a certificate in PEM"],
      [{ ca: damaged }, "/tls/ca", "holds a certificate that cannot be read"],
      [{ ca: own.ca + own.clientKey }, "/tls/ca", "holds a private key"],
      [{ ca: "x".repeat(65_537) }, "/tls/ca", "at most 65536 characters"],
      [{ ...client, client_certificate: own.clientKey }, "/tls/client_certificate", "holds a private key"],
      [{ ...client, client_key: own.clientCertificate }, "/tls/client_key", "must be a private key in PEM"],
      [{ ...client, client_key: encrypted }, "/tls/client_key", "is protected by a passphrase"],
      [{ ...client, client_key: other.clientKey }, "/tls/client_key", "is not the key of client_certificate"],
      [{ ...client, client_key: weak }, "/tls/client_key", "is not the key of client_certificate"],
      [{ client_certificate: own.clientCertificate }, "/tls/client_key", "must be given with client_certificate"],
      [{ client_key: own.clientKey }, "/tls/client_certificate", "must be given with its key"],
      [{ server_name: "10.0.0.1" }, "/tls/server_name", "must be a host name"],
      [{ server_name: "a b" }, "/tls/server_name", "must be a host name"],
      [{ passphrase: "p" }, "/tls/passphrase", "is not a field of this body"],
    ] as const) {
      for (const answer of [await create(api, { tls }), await change(api, await create(api, {}), { tls })]) {
        expect([answer.status, ...pointersOf(answer)]).toEqual([400, pointer]);
        expect(answer.body.errors[0].detail).toContain(detail);
        expect(JSON.stringify(answer.body)).not.toContain("-----BEGIN");
      }
    }
    const target = await create(api, { tls: client });
    const strange = await change(api, target, { tls: { client_certificate: other.clientCertificate } });
    expect(pointersOf(strange)).toEqual(["/tls/client_certificate"]);
    expect(strange.body.errors[0].detail).toContain("does not belong to the stored key");
  });

  test("another origin drops the client certificate and its key, unless the change gives new ones", async ({ api }) => {
    const elsewhere = "https://other.internal/hooks";
    const target = await create(api, { tls: { ca: own.ca, ...client } });
    expect((await change(api, target, { uri: "https://billing.internal/other" })).body.tls).toEqual(target.body.tls);
    const kept = { ca: [shown(own.ca)], server_name: null, client_certificate: null };
    expect((await change(api, target, { uri: elsewhere })).body.tls).toEqual(kept);
    expect((await storedTls(api, target))?.clientKey).toBeNull();

    const given = await create(api, { tls: client });
    const half = { uri: elsewhere, tls: { client_certificate: own.clientCertificate } };
    expect(pointersOf(await change(api, given, half))).toEqual(["/tls/client_key"]);
    const moved = await change(api, given, { uri: elsewhere, tls: client });
    expect(moved.body.tls.client_certificate).toEqual(shown(own.clientCertificate));

    const webhook = await create(api, { tls: client });
    await api.call("PATCH", `/v1/webhooks/${webhook.body.id}`, { body: { uri: "https://billing.internal/other" } });
    expect((await storedTls(api, webhook))?.clientKey).not.toBeNull();
    await api.call("PATCH", `/v1/webhooks/${webhook.body.id}`, { body: { uri: elsewhere } });
    expect(await storedTls(api, webhook)).toBeNull();
  });

  test("they need https: a change that would send in the clear is refused", async ({ api }) => {
    const plain = "http://billing.internal/hooks";
    const tls = { server_name: "a.internal" };
    expect(pointersOf(await create(api, { uri: plain, tls }))).toEqual(["/uri"]);
    const target = await create(api, { tls });
    expect(pointersOf(await change(api, target, { uri: plain }))).toEqual(["/uri"]);
    const webhook = await api.call("PATCH", `/v1/webhooks/${target.body.id}`, { body: { uri: plain } });
    expect(webhook.status).toBe(400);
    expect((await change(api, target, { uri: plain, tls: null })).status).toBe(200);
  });
});
