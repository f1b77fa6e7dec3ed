// Reaches an address over HTTP and says, in words, why that fails. A certificate is read apart, because a failed request says
// little of it.

import { connect, type PeerCertificate } from "node:tls";

import { errorText } from "@sluice/shared/runtime/error-text";

import { type DoctorFinding, ok, warning, wrong } from "./finding.ts";

const REACH_LIMIT_MS = 5_000;
const DAY_MS = 86_400_000;
/** Certificates of Let's Encrypt are renewed with thirty days left. */
const RENEWED_DAYS = 14;

const TLS_CODE = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_|ERR_SSL_)/;

/** How a request went: it was answered, or why not, in words. */
export type Reached =
  | { kind: "answered"; response: Response }
  /** `isTls`: something listens, and the certificate is why nothing was sent. */
  | { kind: "failed"; reason: string; isTls: boolean };

export async function reach(url: string): Promise<Reached> {
  try {
    const signal = AbortSignal.timeout(REACH_LIMIT_MS);
    return { kind: "answered", response: await fetch(url, { signal, redirect: "manual" }) };
  } catch (error) {
    const code = failureCodeOf(error);
    return { kind: "failed", reason: describeUnreached(error, code), isTls: TLS_CODE.test(code) };
  }
}

/** The first of the errors in an error of `fetch`, which itself says only that it failed. */
function causeOf(error: unknown): unknown {
  const cause: unknown = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return cause instanceof AggregateError ? cause.errors[0] : cause;
}

function failureCodeOf(error: unknown): string {
  const cause = causeOf(error);
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}

function describeUnreached(error: unknown, code: string): string {
  if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${REACH_LIMIT_MS / 1000} s`;
  if (code === "ECONNREFUSED") return "nothing listens there (connection refused)";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "its name is not known (DNS)";
  if (TLS_CODE.test(code)) return `its certificate is not trusted (${code})`;
  return errorText(causeOf(error));
}

/** Looks at the certificate of an https address. */
export async function examineCertificate(check: string, url: string, nowMs: number): Promise<DoctorFinding> {
  try {
    const { certificate, problem } = await readCertificate(new URL(url));
    const ends = new Date(certificate.valid_to);
    const day = ends.toISOString().slice(0, 10);
    if (problem !== undefined) {
      return wrong(
        check,
        `The certificate of ${new URL(url).host} is not trusted (${problem}); it ends on ${day}`,
        "Renew it, or install it with its whole chain. On this machine, NODE_EXTRA_CA_CERTS=ca.pem trusts a CA of your own.",
      );
    }
    const days = Math.floor((ends.getTime() - nowMs) / DAY_MS);
    const found = `The certificate of ${new URL(url).host} is valid until ${day}`;
    if (days >= RENEWED_DAYS) return ok(check, found);
    return warning(check, `${found}: ${days} days`, "Renew it, and look why nothing did that by itself.");
  } catch (error) {
    return wrong(
      check,
      `${new URL(url).host} does not answer by TLS: ${errorText(error)}`,
      "Check that TLS ends there, and that the port is the one for https.",
    );
  }
}

function readCertificate({
  hostname,
  port,
}: URL): Promise<{ certificate: PeerCertificate; problem: string | undefined }> {
  const host = hostname.replace(/^\[|\]$/g, "");
  const { promise, resolve, reject } = Promise.withResolvers<{
    certificate: PeerCertificate;
    problem: string | undefined;
  }>();
  // A certificate that is not trusted is to be seen, and nothing is sent on this connection.
  const socket = connect({ host, port: Number(port || 443), servername: host, rejectUnauthorized: false });
  socket.setTimeout(REACH_LIMIT_MS, () => socket.destroy(new Error(`no answer within ${REACH_LIMIT_MS / 1000} s`)));
  socket.once("error", reject);
  socket.once("secureConnect", () => {
    const problem = socket.authorized ? undefined : String(socket.authorizationError);
    resolve({ certificate: socket.getPeerCertificate(), problem });
    socket.end();
  });
  return promise;
}
