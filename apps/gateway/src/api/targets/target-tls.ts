// How the relay reaches a target by TLS: a CA of the operator's own, and a certificate that proves the relay. The API shows
// certificates by what identifies them, and never shows the key.

import { createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { createSecureContext } from "node:tls";

import { z } from "@hono/zod-openapi";

import { readCertificates } from "@sluice/shared/settings/certificates";
import type { TargetTls } from "@sluice/store/configuration/target-tls";

import { invalidRequest } from "../http/invalid-request.ts";
import { orNull } from "../openapi/endpoint.ts";

const MAX_PEM_LENGTH = 65_536;
const MAX_KEY_LENGTH = 16_384;
/** RFC 7468, 11, and the older form of OpenSSL. */
const ENCRYPTED_KEY = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;
/** A host name: RFC 1123, 2.1, and the underscore, which names in internal networks have. */
const HOST_NAME =
  /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/;
const MAX_HOST_NAME_LENGTH = 253;

/** For the document. What the text between such lines holds, no pattern can say. */
const CERTIFICATE_PATTERN = "-----BEGIN [A-Z0-9 ]*CERTIFICATE-----";
const KEY_PATTERN = "-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----";

const pemOf = (max: number, findFault: (pem: string) => string | undefined) =>
  z
    .string()
    .max(max, { abort: true })
    .superRefine((pem, context) => {
      const fault = findFault(pem);
      if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
    })
    .nullable()
    .optional();

const isHostName = (text: string) => text.length <= MAX_HOST_NAME_LENGTH && HOST_NAME.test(text) && isIP(text) === 0;

/** A given field replaces the stored value, and null removes it. */
export const tlsSchema = z
  .strictObject({
    ca: pemOf(MAX_PEM_LENGTH, findCertificateFault).openapi({
      pattern: CERTIFICATE_PATTERN,
      description:
        "Certificates in PEM. The certificate of the target must be signed by one of them; those of the system and of " +
        "`TARGET_CA_FILE` do not count then.",
    }),
    server_name: z.string().refine(isHostName, "must be a host name").nullable().optional().openapi({
      minLength: 1,
      maxLength: MAX_HOST_NAME_LENGTH,
      pattern: HOST_NAME.source,
      description: "The name in the certificate of the target, if it is not the host of `uri`",
    }),
    client_certificate: pemOf(MAX_PEM_LENGTH, findCertificateFault).openapi({
      pattern: CERTIFICATE_PATTERN,
      description: "The certificate by which the relay proves itself, and the chain above it, in PEM",
    }),
    client_key: pemOf(MAX_KEY_LENGTH, findKeyFault).openapi({
      pattern: KEY_PATTERN,
      description:
        "The key of `client_certificate` in PEM, without a passphrase. It is stored encrypted and never shown.",
    }),
  })
  .openapi("TlsChange");

const shownCertificate = z
  .object({
    subject: z.string().openapi({ example: "CN=sluice, O=Example" }),
    fingerprint_sha256: z.string().openapi({ description: "As `openssl x509 -fingerprint -sha256` shows it" }),
    expires_at: z.string().openapi({ format: "date-time" }),
  })
  .openapi("Certificate");

export const shownTls = z
  .object({
    ca: z.array(shownCertificate),
    server_name: z.string().nullable(),
    client_certificate: orNull(shownCertificate).openapi({ example: null }),
  })
  .openapi("Tls");

export function showTls(tls: TargetTls | null): z.infer<typeof shownTls> | null {
  if (tls === null) return null;
  return {
    ca: readCertificates(tls.ca ?? "").map(showCertificate),
    server_name: tls.serverName,
    client_certificate: readCertificates(tls.clientCertificate ?? "").map(showCertificate)[0] ?? null,
  };
}

const showCertificate = (certificate: X509Certificate) => ({
  subject: certificate.subject.replaceAll("\n", ", "),
  fingerprint_sha256: certificate.fingerprint256,
  expires_at: certificate.validToDate.toISOString(),
});

function findCertificateFault(pem: string): string | undefined {
  // It would be stored as it is, because certificates are no secrets.
  if (pem.includes("PRIVATE KEY-----")) return "holds a private key; give it as client_key";
  try {
    return readCertificates(pem).length === 0 ? "must be a certificate in PEM" : undefined;
  } catch {
    return "holds a certificate that cannot be read";
  }
}

function findKeyFault(pem: string): string | undefined {
  try {
    createPrivateKey(pem);
    return undefined;
  } catch {
    return ENCRYPTED_KEY.test(pem)
      ? "is protected by a passphrase; give the key without one"
      : "must be a private key in PEM";
  }
}

/**
 * The stored settings that may serve an address. Whoever may change a target could otherwise use the certificate of the
 * relay at an address of their own choice. So the certificate and its key stay with their origin, as header values do.
 */
export function tlsFor(current: { uri: string; tls: TargetTls | null }, uri: string): TargetTls | null {
  if (current.tls === null || new URL(uri).origin === new URL(current.uri).origin) return current.tls;
  return withoutEmpty({ ...current.tls, clientCertificate: null, clientKey: null });
}

/** The part of the settings that is a credential: only its owner has it. */
export function onlyCredential(tls: TargetTls | null): TargetTls | null {
  return tls && withoutEmpty({ ...tls, ca: null, serverName: null });
}

/**
 * @param stored what may serve the address: see {@link tlsFor}.
 * @returns the settings after a change.
 * @throws SluiceError `invalid_request` for a certificate and a key that do not belong together.
 */
export function applyTls(
  stored: TargetTls | null,
  change: z.infer<typeof tlsSchema> | null | undefined,
): TargetTls | null {
  if (change === undefined) return stored;
  if (change === null) return null;
  const { ca, server_name: serverName, client_certificate: certificate, client_key: key } = change;
  const clientCertificate = certificate ? normalizeCertificates(certificate) : certificate;
  const tls: TargetTls = {
    ca: keep(ca ? normalizeCertificates(ca) : ca, stored?.ca),
    serverName: keep(serverName, stored?.serverName),
    clientCertificate: keep(clientCertificate, stored?.clientCertificate),
    // Without its certificate, a key is of no use.
    clientKey:
      certificate === null && key === undefined ? null : keep(key ? normalizeKey(key) : key, stored?.clientKey),
  };
  refuseMismatch(tls, key !== undefined);
  return withoutEmpty(tls);
}

/** @throws SluiceError `invalid_request` when settings of TLS would have no effect, and the body would go in the clear. */
export function refuseTlsWithoutHttps({ uri, tls }: { uri: string; tls: TargetTls | null }): void {
  if (tls === null || new URL(uri).protocol === "https:") return;
  throw invalidRequest([{ pointer: "/uri", detail: "must be https, because the target has settings in tls" }]);
}

/** @param keyIsGiven whether the fault is in the key of the request, or else in its certificate. */
function refuseMismatch({ ca, clientCertificate, clientKey }: TargetTls, keyIsGiven: boolean): void {
  if (clientCertificate === null && clientKey !== null)
    throw refusal("client_certificate", "must be given with its key");
  if (clientCertificate !== null && clientKey === null) {
    throw refusal(
      "client_key",
      "must be given with client_certificate, because no key is stored for it at this origin",
    );
  }
  if (clientCertificate !== null && clientKey !== null) {
    const [certificate] = readCertificates(clientCertificate);
    if (certificate?.checkPrivateKey(createPrivateKey(clientKey)) !== true) {
      throw keyIsGiven
        ? refusal("client_key", "is not the key of client_certificate")
        : refusal("client_certificate", "does not belong to the stored key; give client_key too");
    }
  }
  try {
    createSecureContext(secureOptions({ ca, clientCertificate, clientKey }));
  } catch (error) {
    // For example a key that is too short for the OpenSSL of the worker.
    const reason = error instanceof Error ? error.message : "unknown";
    throw refusal(clientCertificate === null ? "ca" : "client_certificate", `cannot be used: ${reason}`);
  }
}

const refusal = (field: string, detail: string) => invalidRequest([{ pointer: `/tls/${field}`, detail }]);

const keep = (given: string | null | undefined, kept: string | null | undefined) =>
  given === undefined ? (kept ?? null) : given;

const secureOptions = ({ ca, clientCertificate, clientKey }: Omit<TargetTls, "serverName">) => ({
  ...(ca !== null && { ca }),
  ...(clientCertificate !== null && { cert: clientCertificate }),
  ...(clientKey !== null && { key: clientKey }),
});

const normalizeCertificates = (pem: string) => readCertificates(pem).map(String).join("");
const normalizeKey = (pem: string) => toPem(createPrivateKey(pem));
const toPem = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }) as string;
const withoutEmpty = (tls: TargetTls) => (Object.values(tls).every((value) => value === null) ? null : tls);
