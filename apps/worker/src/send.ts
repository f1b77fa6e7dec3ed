// One attempt: a signed POST of the body as it was received, with one deadline over the whole response.

import type { AddressGuard } from "@sluice/shared/address/guard";
import { readRetryAfter } from "@sluice/shared/backoff";
import { formatId } from "@sluice/shared/ids";
import { signV1 } from "@sluice/shared/signature/signing/v1";
import type { ClaimedDelivery } from "@sluice/shared/store/deliveries";
import { validKeys } from "@sluice/shared/store/secrets";
import type { Target } from "@sluice/shared/store/targets";
import { Agent, type Dispatcher } from "undici";

import { AddressRefused, guardConnections, type ResolveHost } from "./guarded-connect.ts";
import type { AttemptResult } from "./outcome.ts";

/** Of a response, read at most so much; what comes after it is cut off with its connection. */
const MAX_RESPONSE_BYTES = 64 * 1024;
/** Of that, kept in the log. */
const EXCERPT_BYTES = 1024;
/** Under the keep-alive time of common servers (Node's is 5 s), unless the server names its own. */
const KEEP_ALIVE_MS = 4_000;
const MAX_RESPONSE_HEADER_BYTES = 32 * 1024;

/**
 * The connections to all targets, direct ones: a proxy would connect to addresses that were not checked. A lane bounds
 * how many one target gets.
 */
export function openAgent(guard: AddressGuard, resolve?: ResolveHost): Agent {
  return new Agent({
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    // The attempt's own deadline covers them all.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: guardConnections(guard, resolve),
  });
}

/** Makes one attempt; whatever happens is in the result. */
export async function sendDelivery(
  dispatcher: Dispatcher,
  target: Target,
  delivery: ClaimedDelivery,
  number: number,
): Promise<AttemptResult> {
  const startedAtMs = Date.now();
  const started = performance.now();
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), target.timeoutSeconds * 1000);
  let statusCode: number | null = null;
  let retryAfterMs: number | undefined;
  const finish = (error: string | null, excerpt: Buffer | null): AttemptResult => ({
    startedAtMs,
    durationMs: performance.now() - started,
    statusCode,
    error,
    responseExcerpt: excerpt === null ? null : toText(excerpt),
    retryAfterMs,
  });
  try {
    const { origin, pathname, search } = new URL(target.uri);
    const response = await dispatcher.request({
      origin,
      path: pathname + search,
      method: "POST",
      headers: headersOf(target, delivery, number, startedAtMs),
      body: delivery.body,
      signal: deadline.signal,
    });
    statusCode = response.statusCode;
    const retryAfter = response.headers["retry-after"];
    retryAfterMs = readRetryAfter(typeof retryAfter === "string" ? retryAfter : undefined, Date.now());
    return finish(null, await readExcerpt(response.body));
  } catch (error) {
    if (deadline.signal.aborted) return finish(`timeout: no complete response within ${target.timeoutSeconds} s`, null);
    return finish(error instanceof AddressRefused ? error.message : `connection: ${describe(error)}`, null);
  } finally {
    clearTimeout(timer);
  }
}

function headersOf(target: Target, delivery: ClaimedDelivery, number: number, nowMs: number): Record<string, string> {
  // Fresh per attempt, the id constant: Standard Webhooks 1.0.
  const timestamp = String(Math.floor(nowMs / 1000));
  const signatures = validKeys(target.hmacKeys, nowMs).map((key) =>
    signV1(key, delivery.webhookId, timestamp, delivery.body),
  );
  // In lower case, so that each is sent once: names of headers ignore case (RFC 9110, 5.1).
  const configured = Object.entries(target.headers).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    "user-agent": "sluice",
    ...(Object.fromEntries(configured) as Record<string, string>),
    "content-type": delivery.contentType ?? "application/json",
    "webhook-id": delivery.webhookId,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures.join(" "),
    "sluice-event-id": formatId("evt", delivery.eventId),
    "sluice-delivery-id": formatId("dlv", delivery.id),
    "sluice-attempt": String(number),
  };
}

/** Reads the body to its end, or to the limit; only then is the response complete. */
async function readExcerpt(body: Dispatcher.ResponseData["body"]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (size < EXCERPT_BYTES) chunks.push(chunk.subarray(0, EXCERPT_BYTES - size));
    size += chunk.length;
    if (size >= MAX_RESPONSE_BYTES) break;
  }
  return Buffer.concat(chunks);
}

/** Whatever a target sends, as text that PostgreSQL can hold. */
function toText(bytes: Buffer): string {
  return bytes.toString("utf8").replaceAll("\u0000", "\uFFFD");
}

function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return describe(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? `${error.code} ` : "";
  return `${error.message.startsWith(code.trim()) ? "" : code}${error.message}`.replaceAll("\u0000", "").slice(0, 300);
}
