// Starts the demonstration's receiver where the relay's worker can reach it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

import { within } from "@sluice/shared/runtime/within";

import { type DemoReceiver, startDemoReceiver } from "./receiver.ts";

export type ReceiverPlace =
  /** The worker runs on this machine. */
  | { kind: "loopback" }
  /** The worker runs in a container of the compose file in this directory. */
  | { kind: "compose"; directory: string }
  /** The worker reaches this machine at an address that the user gave: `http://host:port/…`. */
  | { kind: "given"; url: string };

const STOP_LIMIT_MS = 5_000;

/** @param secret `whsec_…` of the demonstration's target. @throws Error when the receiver does not start. */
export async function openReceiver(place: ReceiverPlace, secret: string): Promise<DemoReceiver> {
  if (place.kind === "loopback") return startDemoReceiver(secret);
  if (place.kind === "compose") return startInWorkerContainer(place.directory, secret);
  const receiver = await startDemoReceiver(secret, { port: Number(new URL(place.url).port || 80) });
  return { ...receiver, url: place.url };
}

async function startInWorkerContainer(directory: string, secret: string): Promise<DemoReceiver> {
  const command = ["compose", "exec", "-T", "worker", "node", "demo-receiver.mjs"];
  const child = spawn("docker", command, { cwd: directory, stdio: "pipe" });
  const errorOutput = text(child.stderr);
  const exited = once(child, "exit");
  // A child that ended early closes its stdin, and `firstLine` reports the end.
  child.stdin.on("error", () => undefined).write(`${secret}\n`);
  const firstLine = once(createInterface({ input: child.stdout }), "line") as Promise<[string]>;
  const started = await Promise.race([firstLine, exited.then(() => undefined)]);
  if (started === undefined) {
    throw new Error(
      "The receiver of the demonstration did not start in the worker's container. If the image is older than this " +
        `checkout, run \`docker compose up -d --build --wait\`.\n${(await errorOutput).trim()}`,
    );
  }
  return {
    url: started[0],
    stop: async () => {
      // The receiver ends with its stdin.
      child.stdin.end();
      await within(STOP_LIMIT_MS, exited);
      child.kill();
    },
  };
}
