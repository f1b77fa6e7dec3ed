// What a scenario does with a running stack: its API, its readiness, and a receiver that its workers reach on the host.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { until } from "../support/wait.ts";
import type { Clone } from "./clone.ts";

/** The name that the compose file gives to the host. */
const HOST_NAME = "host.docker.internal";

export interface HostReceiver {
  /** For a target of a stack. @param host by default the name that the compose file gives to the host. */
  url: (host?: string) => string;
  /** How often each webhook id came. */
  received: ReadonlyMap<string, number>;
  /** What the last request answered. */
  headers: ReadonlyMap<string, string>;
  stop: () => void;
}

/** Listens on every address of the host, because containers do not reach its loopback. */
export async function receiveOnHost(): Promise<HostReceiver> {
  const received = new Map<string, number>();
  const headers = new Map<string, string>();
  const server = createServer((request, response) => {
    headers.clear();
    for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
    const id = String(request.headers["webhook-id"]);
    received.set(id, (received.get(id) ?? 0) + 1);
    request.resume().on("end", () => response.end());
  });
  await once(server.listen(0), "listening");
  const { port } = server.address() as AddressInfo;
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: (host = HOST_NAME) => `http://${host}:${port}/hook`, received, headers, stop };
}

export interface Answer {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a scenario asserts about it.
  body: any;
}

export async function callApi(clone: Clone, method: string, path: string, body?: object): Promise<Answer> {
  const headers = { authorization: `Bearer ${await clone.apiKey()}`, "content-type": "application/json" };
  const answer = await fetch(clone.apiUrl + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  return { status: answer.status, body: await answer.json() };
}

/** Subscribes a receiver to all events. @returns the id of the target. */
export async function addTarget(clone: Clone, uri: string, state = "enabled"): Promise<string> {
  const { status, body } = await callApi(clone, "POST", "/v1/targets", { uri, subscribed_events: ["*"], state });
  assert.equal(status, 201, JSON.stringify(body));
  return body.id;
}

export async function readReadiness(clone: Clone): Promise<Answer> {
  const answer = await fetch(`${clone.apiUrl}/readyz`);
  return { status: answer.status, body: await answer.json() };
}

/** Waits until all of these events have come to the receiver. */
export async function untilReceived({ received }: HostReceiver, ids: readonly string[]): Promise<void> {
  await until(() => ids.filter((id) => !received.has(id)).length, {
    accept: (missing) => missing === 0,
    what: "events at the receiver (missing)",
  });
}
