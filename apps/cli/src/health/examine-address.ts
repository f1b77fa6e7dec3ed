// Looks whether a relay answers at the address of the API, by TLS where it has that, and how far its clock is from that of this
// machine. It needs no key.

import { SLUICE_VERSION } from "@sluice/shared/domain/version";

import { durationText } from "../output/times.ts";
import { type DoctorFinding, ok, warning, wrong } from "./finding.ts";
import { examineCertificate, reach } from "./reach.ts";
import { askReadiness, type ShownReadiness } from "./ask-readiness.ts";

export interface ExaminedAddress {
  findings: DoctorFinding[];
  /** Undefined when no relay answers. */
  readiness: ShownReadiness | undefined;
}

const LOOPBACK = /^(?:localhost|127\.[0-9.]+|\[::1\])$/;
/** `Date` has whole seconds, and a signature is good for minutes. */
const CLOCK_LIMIT_SECONDS = 10;

export async function examineAddress(api: string): Promise<ExaminedAddress> {
  const from = performance.now();
  const reached = await reach(`${api}/healthz`);
  const tookMs = Math.round(performance.now() - from);
  const tls = reached.kind === "answered" || reached.isTls ? await examineTls(api) : [];
  if (reached.kind === "failed") {
    const advice = reached.isTls
      ? "Mend the certificate first."
      : "Start the relay (`npm start`, `docker compose up -d`), or give its address by --api. Its log says why it does not run.";
    return { findings: [wrong("relay", `${api}: ${reached.reason}`, advice), ...tls], readiness: undefined };
  }
  const { status, headers } = reached.response;
  const readiness = status === 200 ? await askReadiness(api).catch(() => undefined) : undefined;
  if (readiness === undefined) {
    const found = `What answers at ${api} is not the API of a relay (status ${status} for /healthz)`;
    const advice = "Give the address of the API by --api. It is another port than that of the ingress.";
    return { findings: [wrong("relay", found, advice), ...tls], readiness };
  }
  return {
    findings: [
      ok("relay", `A relay of version ${readiness.version} answers at ${api} in ${tookMs} ms`),
      ...tls,
      ...examineVersion(api, readiness.version),
      ...examineClock(headers.get("date")),
      examineReadiness(readiness),
    ],
    readiness,
  };
}

async function examineTls(api: string): Promise<DoctorFinding[]> {
  const { protocol, hostname } = new URL(api);
  if (protocol === "https:") return [await examineCertificate("tls", api, Date.now())];
  if (LOOPBACK.test(hostname)) return [];
  return [warning("tls", `The key travels to ${api} unencrypted`, "Put TLS before the API, or reach it by a tunnel.")];
}

function examineVersion(api: string, version: string): DoctorFinding[] {
  if (version === SLUICE_VERSION) return [];
  const found = `This command has the version ${SLUICE_VERSION}, and the relay ${version}`;
  return [warning("command", found, `Fetch it again: curl -O ${api}/cli/sluice.mjs`)];
}

function examineClock(date: string | null): DoctorFinding[] {
  if (date === null) return [];
  const aheadSeconds = (Date.now() - Date.parse(date)) / 1000;
  if (Math.abs(aheadSeconds) < CLOCK_LIMIT_SECONDS) return [];
  const found = `The clock of this machine is ${durationText(Math.abs(aheadSeconds))} ${aheadSeconds > 0 ? "ahead of" : "behind"} that of the relay`;
  return [warning("clock here", found, "Set this clock by NTP: what you sign or verify here has a time.")];
}

function examineReadiness({ status, checks }: ShownReadiness): DoctorFinding {
  const problems = Object.entries(checks).flatMap(([name, { ok: isWell, problem, problems: more = [] }]) =>
    isWell ? [] : [`${name}: ${[problem, ...more].filter(Boolean).join(", ") || "it is not well"}`],
  );
  const advice = 'docs/operations.md has what each check means: "Is the gateway ready?"';
  if (status === "ready") return ok("readiness", "It is ready to take events");
  if (status === "degraded")
    return warning("readiness", `It takes events, and something is wrong: ${problems.join("; ")}`, advice);
  return wrong("readiness", `It takes no events (${status}): ${problems.join("; ")}`, advice);
}
