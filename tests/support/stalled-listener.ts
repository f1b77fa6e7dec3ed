// HTTP servers whose handshakes do not end before the test wants it: their process is stopped, and the kernel's queue of
// connections that wait to be accepted is full, so that it drops each SYN. Works on Linux.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";

import { claimPort } from "./ports.ts";
import { until } from "./wait.ts";

export interface StalledListener {
  /** The same for all addresses. */
  port: number;
  /** The addresses to which a connection is being made, from this machine. */
  connecting: () => string[];
  /** From now on, the servers answer 200. The kernel tries the handshakes again within seconds. */
  resume: () => void;
  close: () => Promise<void>;
}

const SERVERS = `
  const { createServer } = require("node:http");
  const [port, ...hosts] = process.argv.slice(1);
  let missing = hosts.length;
  for (const host of hosts) {
    const server = createServer((_, response) => response.end("ok"));
    server.listen({ host, port: Number(port), backlog: 1 }, () => --missing === 0 && console.log("listening"));
  }
`;

export async function startStalledListener(hosts: string[]): Promise<StalledListener> {
  const port = await claimPort();
  const child = spawn(process.execPath, ["-e", SERVERS, String(port), ...hosts], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const fillers: Socket[] = [];
  const close = async () => {
    for (const filler of fillers) filler.destroy();
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  try {
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`the servers ended with ${code} before they listened`);
    });
    await Promise.race([once(child.stdout, "data"), ended]);
    child.kill("SIGSTOP");
    // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; T is stopped. A process that still runs would accept.
    await until(() => readFileSync(`/proc/${child.pid}/stat`, "utf8").includes(") T "), { what: "stopped servers" });
    for (const host of hosts) {
      const isFull = () => connectingTo(port).includes(host);
      while (!isFull()) {
        const filler = connect({ host, port }).on("error", () => undefined);
        fillers.push(filler);
        await until(() => !filler.connecting || isFull(), { what: "a filled queue" });
      }
    }
    for (const filler of fillers) if (filler.connecting) filler.destroy();
    await until(() => connectingTo(port).length === 0);
    return { port, connecting: () => connectingTo(port), resume: () => void child.kill("SIGCONT"), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt; 02 is SYN_SENT. */
function connectingTo(port: number): string[] {
  const rows = readFileSync("/proc/net/tcp", "utf8").trim().split("\n").slice(1);
  return rows.flatMap((row) => {
    const [, , remote = "", state] = row.trim().split(/\s+/);
    const [address = "", remotePort = ""] = remote.split(":");
    if (state !== "02" || Number.parseInt(remotePort, 16) !== port) return [];
    return [Buffer.from(address, "hex").toReversed().join(".")];
  });
}
