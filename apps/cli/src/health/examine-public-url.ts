// Looks whether the world can reach the ingress at PUBLIC_URL, as far as that can be seen from this machine.

import { lookup } from "node:dns/promises";

import { isWithin, parseIp, requireRange } from "@sluice/shared/address/ip";

import { type DoctorFinding, ok, warning, wrong } from "./finding.ts";
import { examineCertificate, reach, type Reached } from "./reach.ts";

const CHECK = "public url";
/** RFC 1918, RFC 6598, loopback, link-local and unique local addresses. */
const PRIVATE = [
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "::1/128",
  "fc00::/7",
  "fe80::/10",
].map(requireRange);

export async function examinePublicUrl(publicUrl: string | null): Promise<DoctorFinding[]> {
  if (publicUrl === null) {
    const advice = "Set it to the https address at which Gemini reaches the ingress: docs/gemini.md.";
    return [warning(CHECK, "PUBLIC_URL is not set, so that the API answers paths, and registers no webhook", advice)];
  }
  const { protocol, hostname } = new URL(publicUrl);
  const url = `${publicUrl}/in/gemini`;
  const reached = await reach(url);
  const isHttps = protocol === "https:";
  const hasTls = isHttps && (reached.kind === "answered" || reached.isTls);
  return [
    judgeIngress(publicUrl, url, reached),
    ...(hasTls ? [await examineCertificate("public tls", publicUrl, Date.now())] : []),
    ...(isHttps
      ? []
      : [warning(CHECK, `${publicUrl} is not https, and Gemini calls nothing else`, "Put a proxy with TLS in front.")]),
    ...(await examinePlace(hostname)),
  ];
}

/** The ingress answers a GET of a path for webhooks by saying what it takes. */
function judgeIngress(publicUrl: string, url: string, reached: Reached): DoctorFinding {
  if (reached.kind === "failed") {
    const advice = `Check DNS, the firewall and the proxy. If only others reach the address, try it from there: curl -i ${url}`;
    return wrong(CHECK, `${publicUrl} cannot be reached from here: ${reached.reason}`, advice);
  }
  const { status, headers } = reached.response;
  if (status === 405 && headers.get("allow") === "POST")
    return ok(CHECK, `The ingress answers at ${publicUrl}, seen from here`);
  const advice = "Let the proxy pass /in/ to PORT of the gateway, and not to its API: docs/deploying.md.";
  return wrong(CHECK, `What answers at ${url} is not the ingress (status ${status})`, advice);
}

function isPrivate(address: string): boolean {
  const ip = parseIp(address);
  return ip !== undefined && PRIVATE.some((range) => isWithin(ip, range));
}

async function examinePlace(hostname: string): Promise<DoctorFinding[]> {
  const addresses = await lookup(hostname.replace(/^\[|\]$/g, ""), { all: true }).catch(() => []);
  const all = addresses.map(({ address }) => address);
  if (all.length === 0 || !all.every(isPrivate)) return [];
  const found = `${hostname} leads to ${all.join(", ")}, which only your own network reaches`;
  return [
    warning(CHECK, found, "Gemini needs a public address. For a test, a tunnel has one: docs/local-development.md."),
  ];
}
