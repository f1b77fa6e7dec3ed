// A connection of a script to a relay: to its ingress, as Gemini sends events, and to its API, as an operator calls it.

import { Agent } from "undici";

import { errorText } from "./error-text.ts";

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
  /** Sends one request to the API. @throws Error with the problem that the API answered. */
  api: <T>(method: string, path: string, body?: unknown) => Promise<T>;
  /** Sends one request to the ingress. Status 0 means that no answer came, and the body says why. */
  ingress: (path: string, headers: Record<string, string>, body: Buffer) => Promise<Answer>;
  close: () => Promise<void>;
}

const REQUEST_LIMIT_MS = 30_000;

export function connectRelay(address: RelayAddress, maxConnections: number): RelayConnection {
  const agent = new Agent({
    connections: maxConnections,
    connect: { timeout: 5_000 },
    headersTimeout: REQUEST_LIMIT_MS,
    bodyTimeout: REQUEST_LIMIT_MS,
  });
  const send = async (
    base: string,
    path: string,
    method: string,
    headers: Record<string, string>,
    body?: Buffer | string,
  ) => {
    const startedMs = performance.now();
    const url = new URL(path, base);
    const response = await agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers,
      body: body ?? null,
    });
    const text = await response.body.text();
    return { status: response.statusCode, body: text, durationMs: performance.now() - startedMs };
  };
  return {
    address,
    api: async <T>(method: string, path: string, body?: unknown): Promise<T> => {
      const headers = {
        authorization: `Bearer ${address.apiKey}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      };
      const answer = await send(
        address.apiUrl,
        path,
        method,
        headers,
        body === undefined ? undefined : JSON.stringify(body),
      ).catch((error: unknown) => {
        throw new Error(`The API at ${address.apiUrl} does not answer: ${errorText(error)}`, { cause: error });
      });
      if (answer.status >= 300)
        throw new Error(`${method} ${path} failed with ${answer.status}: ${detailOf(answer.body)}`);
      return (answer.body === "" ? undefined : JSON.parse(answer.body)) as T;
    },
    ingress: (path, headers, body) =>
      send(address.ingressUrl, path, "POST", headers, body).catch((error: unknown) => ({
        status: 0,
        body: errorText(error),
        durationMs: 0,
      })),
    close: () => agent.close(),
  };
}

/** Reads a list page by page and yields its items. */
export async function* listAll<T>(relay: RelayConnection, path: string): AsyncGenerator<T> {
  const separator = path.includes("?") ? "&" : "?";
  let cursor: string | null = null;
  do {
    const next: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { data: T[]; next_cursor: string | null } = await relay.api(
      "GET",
      `${path}${separator}limit=250${next}`,
    );
    yield* page.data;
    cursor = page.next_cursor;
  } while (cursor !== null);
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
