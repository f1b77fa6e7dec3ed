// Certificates of a test: a CA of its own, with a server and a client that the CA signed. Node cannot make certificates,
// so openssl does.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestCertificates {
  /** The paths of files in PEM. */
  ca: string;
  certificate: string;
  key: string;
  clientCertificate: string;
  clientKey: string;
}

/** Whether this machine has openssl. */
export function hasOpenssl(): boolean {
  return spawnSync("openssl", ["version"]).status === 0;
}

const openssl = (...words: string[]) => execFileSync("openssl", words, { stdio: ["ignore", "ignore", "pipe"] });

/**
 * @param directory an existing directory for the files.
 * @param names of the server, as OpenSSL writes them.
 * @throws Error when openssl is missing or fails.
 */
export function makeCertificates(directory: string, names = "IP:127.0.0.1,DNS:localhost"): TestCertificates {
  const path = (name: string) => join(directory, name);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", path("ca.key"), "-out", path("ca.pem"), "-subj", "/CN=test CA");
  const sign = (name: string, ...extensions: string[]) => {
    const subject = `/O=test/CN=${name}`;
    openssl("req", "-new", ...newKey, "-keyout", path(`${name}.key`), "-out", path(`${name}.csr`), "-subj", subject);
    const signing = ["-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial", ...extensions];
    openssl("x509", "-req", "-days", "30", "-in", path(`${name}.csr`), "-out", path(`${name}.pem`), ...signing);
  };
  writeFileSync(path("names"), `subjectAltName=${names}\n`);
  sign("server", "-extfile", path("names"));
  sign("client");
  return {
    ca: path("ca.pem"),
    certificate: path("server.pem"),
    key: path("server.key"),
    clientCertificate: path("client.pem"),
    clientKey: path("client.key"),
  };
}

/** The same, as texts. */
export function readNewCertificates(names?: string): TestCertificates {
  const directory = mkdtempSync(join(tmpdir(), "sluice-certificates-"));
  try {
    const read = Object.entries(makeCertificates(directory, names)).map(([name, path]) => [
      name,
      readFileSync(path, "utf8"),
    ]);
    return Object.fromEntries(read) as TestCertificates;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
