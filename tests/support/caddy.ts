// Caddy with its files in deploy/, on free ports of loopback, in front of one gateway.

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { findInstalled } from "./apt.ts";
import { endWithProcess } from "./end-with-process.ts";
import { claimPort } from "./ports.ts";
import { until } from "./wait.ts";

const FILES = fileURLToPath(new URL("../../deploy/caddy/", import.meta.url));

const running = new Map<number, NodeJS.Signals>();
endWithProcess(running, () => undefined);

/** The path of the program; undefined when this machine has none. */
export const findCaddy = (): string | undefined => findInstalled(["caddy"]);

/**
 * @param gateway the ports of the gateway on loopback.
 * @param env the environment that compose.proxy.yaml gives to the proxy.
 */
export async function startCaddy(
  program: string,
  gateway: { ingress: number; api: number },
  env: Record<string, string>,
): Promise<{ ingressUrl: string; apiUrl: string; stop: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-caddy-"));
  const [ingress, api, health] = [await claimPort(), await claimPort(), await claimPort()];
  const replacements: [from: RegExp, to: string][] = [
    [/dynamic a \{\s*name gateway\s*port 8080\s[^}]*\}/, `to 127.0.0.1:${gateway.ingress}`],
    [/dynamic a \{\s*name gateway\s*port 8081\s[^}]*\}/, `to 127.0.0.1:${gateway.api}`],
    [/^:8080 /m, `http://127.0.0.1:${ingress} `],
    [/^:8081 /m, `http://127.0.0.1:${api} `],
    [/^:2020 /m, `http://127.0.0.1:${health} `],
  ];
  const used = new Set<RegExp>();
  for (const name of readdirSync(FILES)) {
    let text = readFileSync(join(FILES, name), "utf8");
    for (const [from, to] of replacements) {
      if (from.test(text)) used.add(from);
      text = text.replace(from, to);
    }
    writeFileSync(join(directory, name), text);
  }
  const unused = replacements.find(([from]) => !used.has(from));
  if (unused !== undefined) throw new Error(`deploy/caddy has no ${String(unused[0])} any more`);
  const child = spawn(program, ["run", "--config", join(directory, "Caddyfile"), "--adapter", "caddyfile"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], HOME: directory, ...env },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} did not start`);
  running.set(pid, "SIGTERM");
  const stop = async () => {
    child.kill("SIGTERM");
    await exited;
    running.delete(pid);
    rmSync(directory, { recursive: true, force: true });
  };
  const hasAnswered = async () => (await fetch(`http://127.0.0.1:${health}/healthz`)).ok;
  await until(() => child.exitCode !== null || hasAnswered(), { what: "Caddy to listen" });
  if (child.exitCode !== null) throw new Error(`Caddy ended with ${child.exitCode}:\n${output}`);
  return { ingressUrl: `http://127.0.0.1:${ingress}`, apiUrl: `http://127.0.0.1:${api}`, stop };
}
