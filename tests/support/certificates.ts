// Certificates of a test: a CA of its own, and a server of 127.0.0.1 that the CA signed. Node cannot make certificates,
// so openssl does.

import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export interface TestCertificates {
  /** The paths of files in PEM. */
  ca: string;
  certificate: string;
  key: string;
}

/** Whether this machine has openssl. */
export function hasOpenssl(): boolean {
  return spawnSync("openssl", ["version"]).status === 0;
}

const openssl = (...words: string[]) => execFileSync("openssl", words, { stdio: ["ignore", "ignore", "pipe"] });

/** @param directory an existing directory for the files. @throws Error when openssl is missing or fails. */
export function makeCertificates(directory: string): TestCertificates {
  const path = (name: string) => join(directory, name);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", path("ca.key"), "-out", path("ca.pem"), "-subj", "/CN=test CA");
  openssl("req", "-new", ...newKey, "-keyout", path("server.key"), "-out", path("server.csr"), "-subj", "/CN=server");
  writeFileSync(path("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  const signing = ["-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial", "-extfile", path("names")];
  openssl("x509", "-req", "-in", path("server.csr"), "-out", path("server.pem"), ...signing);
  return { ca: path("ca.pem"), certificate: path("server.pem"), key: path("server.key") };
}
