// Certificates in PEM, as settings and callers of the API give them.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

import { z } from "zod";

const CERTIFICATES = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;

/** @param pem text around the certificates is ignored. @throws Error for a certificate that cannot be read. */
export function readCertificates(pem: string): X509Certificate[] {
  return (pem.match(CERTIFICATES) ?? []).map((one) => new X509Certificate(one));
}

/** The path of a file with certificates in PEM. Reads the file, so that a wrong one is a fault at the start. */
export const certificateFile = z.string().transform((path, context) => {
  const refuse = (why: string) => {
    context.addIssue({ code: "custom", message: `names a file ${why}: ${path}` });
    return z.NEVER;
  };
  try {
    const text = readFileSync(path, "utf8");
    return readCertificates(text).length === 0 ? refuse("without a certificate in PEM") : text;
  } catch (error) {
    return refuse(
      `that cannot be read (${error instanceof Error && "code" in error ? String(error.code) : "unknown"})`,
    );
  }
});
