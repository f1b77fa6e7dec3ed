// HAProxy or nginx with its file in deploy/, on free ports of loopback and with a certificate of its own.

import { execFileSync, spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Agent } from "undici";

import { endWithProcess } from "./end-with-process.ts";
import { claimPort } from "./ports.ts";
import { until } from "./wait.ts";

export type BalancerKind = "haproxy" | "nginx";

/** The ports of a gateway on loopback. */
export interface BalancedGateway {
  port: number;
  apiPort: number;
}

export interface LoadBalancer {
  request: (
    path: string,
    init?: { method?: string; headers?: Record<string, string>; body?: Buffer },
  ) => Promise<{
    status: number;
    retryAfter: string | undefined;
  }>;
  /** All logs so far. */
  readLogs: () => string;
  stop: () => Promise<void>;
}

const running = new Map<number, NodeJS.Signals>();
endWithProcess(running, () => undefined);

/** @returns what is missing for a load balancer on this machine; undefined when nothing is. */
export function missingFor(kind: BalancerKind): string | undefined {
  return [kind, "openssl"].find((name) => findProgram(name) === undefined);
}

function findProgram(name: string): string | undefined {
  // Debian has both in /usr/sbin, which is not on the PATH of a user.
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/bin"];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Starts a load balancer in front of two gateways. @throws Error when the program does not take its file. */
export async function startLoadBalancer(
  kind: BalancerKind,
  [first, second]: readonly [BalancedGateway, BalancedGateway],
): Promise<LoadBalancer> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-balancer-"));
  const at = (name: string) => join(directory, name);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", at("hooks.key")];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", ["req", "-x509", ...key, "-out", at("hooks.crt"), ...name], { stdio: "ignore" });
  writeFileSync(at("hooks.pem"), readFileSync(at("hooks.crt"), "utf8") + readFileSync(at("hooks.key"), "utf8"));
  const port = await claimPort();
  const replacements: Record<BalancerKind, [string, string][]> = {
    haproxy: [
      ["bind :443", `bind 127.0.0.1:${port}`],
      ["/etc/haproxy", directory],
      // Each gateway has its own host in production, and its own ports here.
      ["10.0.0.11:8080", `127.0.0.1:${first.port} port ${first.apiPort}`],
      ["10.0.0.12:8080", `127.0.0.1:${second.port} port ${second.apiPort}`],
    ],
    nginx: [
      ["listen 443", `listen 127.0.0.1:${port}`],
      ["/etc/nginx", directory],
      ["/var/log/nginx", directory],
      ["10.0.0.11:8080", `127.0.0.1:${first.port}`],
      ["10.0.0.12:8080", `127.0.0.1:${second.port}`],
      // The paths of the package are for root alone.
      ["http {\n", `http {\n${nginxPaths(directory)}`],
    ],
  };
  const file = { haproxy: "haproxy.cfg", nginx: "nginx.conf" }[kind];
  let text = readFileSync(fileURLToPath(new URL(`../../deploy/${file}`, import.meta.url)), "utf8");
  for (const [from, to] of replacements[kind]) {
    if (!text.includes(from)) throw new Error(`deploy/${file} has no ${JSON.stringify(from)} any more`);
    text = text.replaceAll(from, to);
  }
  writeFileSync(at(file), text);
  const words = {
    haproxy: ["-db", "-f", at(file)],
    nginx: ["-c", at(file), "-e", at("start.log"), "-g", `daemon off; pid ${at("pid")};`],
  }[kind];
  const program = findProgram(kind) ?? kind;
  // The check prints what is wrong, and ends with an error.
  execFileSync(program, [...words, kind === "haproxy" ? "-c" : "-t"], { stdio: "pipe" });
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} did not start`);
  running.set(pid, "SIGTERM");

  // By HTTP/1.1, because a client of HTTP/2 may repeat a request by itself.
  const agent = new Agent({ allowH2: false, connect: { ca: readFileSync(at("hooks.crt")) } });
  const request: LoadBalancer["request"] = async (path, { method = "GET", headers, body } = {}) => {
    const options = { origin: `https://127.0.0.1:${port}`, path, method, headers, body };
    const answer = await agent.request({ ...options, headers: headers ?? {}, body: body ?? null });
    await answer.body.dump();
    return { status: answer.statusCode, retryAfter: answer.headers["retry-after"]?.toString() };
  };
  const stop = async () => {
    await agent.close();
    child.kill("SIGTERM");
    await exited;
    running.delete(pid);
    rmSync(directory, { recursive: true, force: true });
  };
  await until(() => request("/").then(() => true), { what: `${kind} to listen` });
  const logs = () =>
    ["sluice.log", "sluice-error.log"].map((log) => (kind === "nginx" ? readFileSync(at(log), "utf8") : ""));
  return { request, readLogs: () => output + logs().join(""), stop };
}

function nginxPaths(directory: string): string {
  const names = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return names.map((name) => `    ${name}_temp_path ${join(directory, name)};\n`).join("");
}
