// One attempt: a signed POST of the body as it was received, with one deadline over the whole response.

import { AddressRefused } from "@sluice/shared/address/guarded-lookup";
import { readRetryAfter } from "@sluice/shared/domain/backoff";
import { formatId } from "@sluice/shared/domain/ids";
import { validKeys } from "@sluice/signature/secret";
import { signV1 } from "@sluice/signature/signing/v1";
import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";
import type { Target } from "@sluice/store/configuration/targets";
import type { Dispatcher } from "undici";

import type { AttemptResult } from "../breaker/attempt-result.ts";
import type { OpenSockets } from "./open-sockets.ts";
import { isOwnFault, type NotSent } from "./own-fault.ts";
import type { TargetConnections } from "./target-connections.ts";

/** The most that is read of a response. The connection is cut after it. */
const MAX_RESPONSE_BYTES = 64 * 1024;
/** The part of the response that the log keeps. */
const EXCERPT_BYTES = 1024;
const MAX_ERROR_LENGTH = 300;
const TOO_LATE = new Error("The deadline is over");

/** Sends deliveries over the connections that all targets share. */
export class Sender {
  readonly #connections: Pick<TargetConnections, "routeTo">;
  readonly #sockets: Pick<OpenSockets, "mayKeep"> | undefined;

  /** @param sockets says whether connections may stay open; undefined when all may. */
  constructor(connections: Pick<TargetConnections, "routeTo">, sockets?: Pick<OpenSockets, "mayKeep">) {
    this.#connections = connections;
    this.#sockets = sockets;
  }

  /** Makes one attempt. Never rejects: the result says what went wrong. */
  send(target: Target, delivery: ClaimedDelivery): Promise<AttemptResult | NotSent> {
    return new Promise((resolve) => {
      const exchange = new Exchange(target.timeoutSeconds, resolve);
      try {
        const { origin, pathname, search } = new URL(target.uri);
        const headers = headersOf(target, delivery, exchange.startedAtMs);
        const reset = this.#sockets?.mayKeep === false;
        const { body } = delivery;
        const request = { path: pathname + search, method: "POST", headers, body, reset } as const;
        this.#connections.routeTo().pools.poolFor(origin).dispatch(request, exchange);
      } catch (error) {
        exchange.fail(error);
      }
    });
  }
}

/**
 * One request and its response, which end in one result. It is a handler of its own, because undici's handlers make a
 * stream and several promises for each request, and go on waiting for a connection after the deadline.
 */
class Exchange implements Dispatcher.DispatchHandler {
  readonly startedAtMs = Date.now();
  readonly #started = performance.now();
  readonly #deadline: NodeJS.Timeout;
  #resolve: ((result: AttemptResult | NotSent) => void) | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #statusCode: number | null = null;
  #retryAfterMs: number | undefined;
  #excerpt: Buffer[] = [];
  #size = 0;

  constructor(timeoutSeconds: number, resolve: (result: AttemptResult | NotSent) => void) {
    this.#resolve = resolve;
    this.#deadline = setTimeout(() => {
      // The request starts when it has its connection.
      const missing = this.#controller === undefined ? "connection" : "complete response";
      this.#settle(`timeout: no ${missing} within ${timeoutSeconds} s`);
      this.#controller?.abort(TOO_LATE);
    }, timeoutSeconds * 1000);
  }

  fail(error: unknown): void {
    if (this.#statusCode === null && isOwnFault(error)) {
      this.#end({ ownFault: error });
      return;
    }
    this.#settle(error instanceof AddressRefused ? error.message : `connection: ${describeFailure(error)}`);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // The request waited for its connection until the deadline was over, and MUST NOT be sent any more.
    if (this.#resolve === undefined) controller.abort(TOO_LATE);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // An informational response comes before the final one.
    if (statusCode < 200) return;
    this.#statusCode = statusCode;
    const retryAfter = headers["retry-after"];
    this.#retryAfterMs = readRetryAfter(typeof retryAfter === "string" ? retryAfter : undefined, Date.now());
  }

  /** A response is complete at its end, or at the limit. */
  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#size < EXCERPT_BYTES) this.#excerpt.push(chunk.subarray(0, EXCERPT_BYTES - this.#size));
    this.#size += chunk.length;
    if (this.#size < MAX_RESPONSE_BYTES) return;
    this.#settle(null);
    controller.abort(new Error("The response is too large"));
  }

  onResponseEnd(): void {
    this.#settle(null);
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.fail(error);
  }

  #settle(error: string | null): void {
    this.#end({
      startedAtMs: this.startedAtMs,
      durationMs: performance.now() - this.#started,
      statusCode: this.#statusCode,
      error,
      responseExcerpt: error === null ? toText(Buffer.concat(this.#excerpt)) : null,
      retryAfterMs: this.#retryAfterMs,
    });
  }

  #end(result: AttemptResult | NotSent): void {
    clearTimeout(this.#deadline);
    this.#resolve?.(result);
    this.#resolve = undefined;
  }
}

/** A header that is `undefined` is not sent, also where it is configured. */
function headersOf(target: Target, delivery: ClaimedDelivery, nowMs: number): Record<string, string | undefined> {
  // The timestamp is that of the attempt, and the id stays the same: Standard Webhooks 1.0.
  const timestamp = String(Math.floor(nowMs / 1000));
  const signatures = validKeys(target.hmacKeys, nowMs).map(({ key }) =>
    signV1(key, delivery.webhookId, timestamp, delivery.body),
  );
  // Header names ignore case (RFC 9110, 5.1). In lower case, a configured header replaces ours and is sent once.
  const configured = Object.entries(target.headers).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    "user-agent": "sluice",
    ...(Object.fromEntries(configured) as Record<string, string>),
    "content-type": delivery.contentType ?? "application/json",
    // The body goes on as it came, so its label does too.
    "content-encoding": delivery.contentEncoding ?? undefined,
    "webhook-id": delivery.webhookId,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures.join(" "),
    "sluice-event-id": formatId("evt", delivery.eventId),
    "sluice-delivery-id": formatId("dlv", delivery.id),
    "sluice-attempt": String(delivery.attemptCount + 1),
    "sluice-body-unbound": delivery.bodyUnbound ? "true" : undefined,
  };
}

/** The response as text that PostgreSQL can hold. */
function toText(bytes: Buffer): string {
  return bytes.toString("utf8").replaceAll("\u0000", "\uFFFD");
}

function describeFailure(error: unknown): string {
  // One error for each address of the host.
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(describeFailure).join("; ").slice(0, MAX_ERROR_LENGTH);
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const text = error.message.includes(code) ? error.message : `${code} ${error.message}`;
  return text.replaceAll("\u0000", "").slice(0, MAX_ERROR_LENGTH);
}
