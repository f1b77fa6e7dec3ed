// One POST to the service on this machine, with the headers and bytes that the relay would send it.

import { Agent as HttpAgent, type IncomingMessage, request as requestByHttp } from "node:http";
import { Agent as HttpsAgent, request as requestByHttps } from "node:https";

import { readRetryAfter } from "@sluice/shared/domain/backoff";

import type { ForwardResult, PulledDelivery } from "./pulled-delivery.ts";

/** As the relay does: it reads no more of a response, and keeps no more of it. */
const MAX_RESPONSE_BYTES = 64 * 1024;
const EXCERPT_BYTES = 1024;

const agents = { "http:": new HttpAgent({ keepAlive: true }), "https:": new HttpsAgent({ keepAlive: true }) };

/**
 * Never rejects: the result says what went wrong.
 * @param timeoutMs for the whole response.
 */
export function forward({ headers, body }: PulledDelivery, url: URL, timeoutMs: number): Promise<ForwardResult> {
  const startedAt = new Date().toISOString();
  const from = performance.now();
  const bytes = Buffer.from(body, "base64");
  return new Promise((resolve) => {
    let statusCode: number | null = null;
    let retryAfterSeconds: number | undefined;
    const excerpt: Buffer[] = [];
    let size = 0;
    const end = (error: string | null) => {
      clearTimeout(deadline);
      const responseExcerpt =
        error === null ? Buffer.concat(excerpt).subarray(0, EXCERPT_BYTES).toString("utf8") : null;
      resolve({
        startedAt,
        durationMs: performance.now() - from,
        statusCode,
        error,
        responseExcerpt,
        retryAfterSeconds,
      });
    };
    const request = url.protocol === "https:" ? requestByHttps : requestByHttp;
    const agent = agents[url.protocol === "https:" ? "https:" : "http:"];
    const sent = request(
      url,
      { method: "POST", headers: { ...headers, "content-length": String(bytes.length) }, agent },
      (response: IncomingMessage) => {
        statusCode = response.statusCode ?? null;
        const retryAfterMs = readRetryAfter(response.headers["retry-after"], Date.now());
        retryAfterSeconds = retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1000);
        response.on("data", (chunk: Buffer) => {
          if (size < EXCERPT_BYTES) excerpt.push(chunk);
          size += chunk.length;
          if (size < MAX_RESPONSE_BYTES) return;
          end(null);
          sent.destroy();
        });
        response.on("end", () => end(null));
        response.on("error", (error) => end(describeBroken(error)));
      },
    );
    const deadline = setTimeout(() => {
      end(`timeout: no complete response within ${timeoutMs / 1000} s`);
      sent.destroy();
    }, timeoutMs);
    sent.on("error", (error) => end(describeBroken(error)));
    sent.end(bytes);
  });
}

function describeBroken(error: Error): string {
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return `connection: ${code ?? error.message}`.slice(0, 300);
}

/** Lets the process end: idle connections to the service would keep it. */
export function closeConnections(): void {
  for (const agent of Object.values(agents)) agent.destroy();
}
