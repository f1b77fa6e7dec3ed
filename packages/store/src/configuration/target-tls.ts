// How a target is reached by TLS, as columns of its row. The key of the client certificate is encrypted.

import type { MasterKey } from "@sluice/shared/settings/master-key";

import type { targets } from "../schema.ts";

/** At least one of the fields is not null. */
export interface TargetTls {
  /** Certificates in PEM, which take the place of the CAs of the system. */
  ca: string | null;
  /** The name that is asked for and that the certificate must have, in place of the host of the URI. */
  serverName: string | null;
  /** The certificate of the relay for this target and the chain above it, in PEM. It is given together with its key. */
  clientCertificate: string | null;
  /** PKCS #8 in PEM. */
  clientKey: string | null;
}

type TlsColumns = Pick<
  typeof targets.$inferSelect,
  "tlsCa" | "tlsServerName" | "tlsClientCertificate" | "tlsClientKeyCiphertext"
>;

export function sealTls(masterKey: MasterKey, targetId: string, tls: TargetTls | null): TlsColumns {
  const key = tls?.clientKey ?? null;
  return {
    tlsCa: tls?.ca ?? null,
    tlsServerName: tls?.serverName ?? null,
    tlsClientCertificate: tls?.clientCertificate ?? null,
    tlsClientKeyCiphertext: key === null ? null : masterKey.encrypt(key, keyOwner(targetId)),
  };
}

/**
 * Takes the columns of TLS out of a row. @returns the settings, and the other columns.
 * @throws SluiceError `master_key_mismatch`
 */
export function openTls<T extends TlsColumns & { id: string }>(
  masterKey: MasterKey,
  row: T,
): { tls: TargetTls | null; columns: Omit<T, keyof TlsColumns> } {
  const {
    tlsCa: ca,
    tlsServerName: serverName,
    tlsClientCertificate,
    tlsClientKeyCiphertext: sealed,
    ...columns
  } = row;
  const clientKey = sealed === null ? null : masterKey.decrypt(sealed, keyOwner(row.id));
  const tls = { ca, serverName, clientCertificate: tlsClientCertificate, clientKey };
  return { tls: Object.values(tls).every((value) => value === null) ? null : tls, columns };
}

/** Not the id alone, which the headers are bound to: a ciphertext that somebody copies to the other column is no key. */
const keyOwner = (targetId: string) => `${targetId} tls client key`;
