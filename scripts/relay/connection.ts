// A connection of a script to a relay: to its ingress, as Gemini sends events, and to its API, as an operator calls it.

import { createSluiceClient, type SluiceClient } from "@sluice/client/client";
import { Agent } from "undici";

import { errorText } from "@sluice/shared/runtime/error-text";

export interface RelayAddress {
  ingressUrl: string;
  apiUrl: string;
  apiKey: string;
  /** How to write the key in a shell. */
  apiKeyHint: string;
}

export interface Answer {
  status: number;
  body: string;
  durationMs: number;
}

export interface RelayConnection {
  address: RelayAddress;
  api: SluiceClient;
  /** Sends one request to the ingress. Status 0 means that no answer came, and the body says why. */
  ingress: (path: string, headers: Record<string, string>, body: Buffer) => Promise<Answer>;
  close: () => Promise<void>;
}

const REQUEST_LIMIT_MS = 30_000;

/** @param maxConnections how many connections to the ingress are open at the same time. */
export function connectRelay(address: RelayAddress, maxConnections: number): RelayConnection {
  const agent = new Agent({
    connections: maxConnections,
    connect: { timeout: 5_000 },
    headersTimeout: REQUEST_LIMIT_MS,
    bodyTimeout: REQUEST_LIMIT_MS,
  });
  const ingress = async (path: string, headers: Record<string, string>, body: Buffer): Promise<Answer> => {
    const startedMs = performance.now();
    const { origin, pathname } = new URL(path, address.ingressUrl);
    try {
      const response = await agent.request({ origin, path: pathname, method: "POST", headers, body });
      const text = await response.body.text();
      return { status: response.statusCode, body: text, durationMs: performance.now() - startedMs };
    } catch (error) {
      return { status: 0, body: errorText(error), durationMs: 0 };
    }
  };
  const api = createSluiceClient({ baseUrl: address.apiUrl, apiKey: address.apiKey, timeoutMs: REQUEST_LIMIT_MS });
  return { address, api, ingress, close: () => agent.close() };
}

/** One line with the detail of a problem document, or with the start of any other body. */
export function detailOf(body: string): string {
  try {
    const { detail, errors } = JSON.parse(body) as { detail?: string; errors?: { pointer: string; detail: string }[] };
    const faults = (errors ?? []).map((fault) => `${fault.pointer} ${fault.detail}`);
    return [detail ?? body, ...faults].join("; ");
  } catch {
    return body.slice(0, 200);
  }
}
