// A target of the stage is a receiver process, and what the API or the database calls a target.

import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Schemas, SluiceClient } from "@sluice/client/client";
import type { Member } from "../support/member.ts";
import { claimPort } from "../support/ports.ts";
import type { Launch } from "./launch.ts";
import { type Mode, TAKEN_PATH } from "./receiver.ts";

export interface ReceiverOnStage extends Member {
  port: number;
  logPath: string;
  setMode: (mode: Mode) => Promise<void>;
}

export interface TargetOnStage extends ReceiverOnStage {
  /** `tgt_…` */
  id: string;
}

const STOP_LIMIT_MS = 2_000;

export interface ReceiverOptions {
  name: string;
  /** The signing secret of the targets at this receiver. */
  secret: string;
  port: number;
  /** The number of loopback addresses, from 127.0.0.1 on, that it listens on; 1 when not given. */
  addresses?: number;
}

export async function startReceiver(
  directory: string,
  launch: Launch,
  { name, secret, port, addresses = 1 }: ReceiverOptions,
): Promise<ReceiverOnStage> {
  const url = `http://127.0.0.1:${port}`;
  const logPath = join(directory, `received-${name}.jsonl`);
  const member = launch({
    name: `receiver-${name}`,
    entry: fileURLToPath(new URL("receiver-main.ts", import.meta.url)),
    readyUrl: `${url}/readyz`,
    env: { PORT: String(port), ADDRESSES: String(addresses), SECRET: secret, LOG: logPath },
    stopLimitMs: STOP_LIMIT_MS,
  });
  await member.waitUntilReady();
  const setMode = async (mode: Mode) => {
    const response = await fetch(`${url}/mode`, { method: "PUT", body: mode, headers: { connection: "close" } });
    await response.body?.cancel();
  };
  return { ...member, port, logPath, setMode };
}

/** Creates a target through the API, and starts its receiver. */
export async function addTarget(
  directory: string,
  launch: Launch,
  api: SluiceClient,
  name: string,
  subscription: Pick<Schemas["NewTarget"], "subscribed_events" | "filter">,
): Promise<TargetOnStage> {
  const port = await claimPort();
  const target = await api.post("/v1/targets", {
    body: {
      name,
      uri: `http://127.0.0.1:${port}${TAKEN_PATH}`,
      ...subscription,
      timeout_seconds: 3,
      max_in_flight: 32,
      retry: { base_seconds: 0.2, cap_seconds: 2, horizon_seconds: 86_400 },
    },
  });
  const receiver = await startReceiver(directory, launch, { name, secret: target.new_signing_secret ?? "", port });
  return { ...receiver, id: target.id };
}
