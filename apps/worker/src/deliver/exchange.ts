// One request and its response, which end in one result, by whichever HTTP client it is sent.

import type { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";

import { AddressRefused } from "@sluice/shared/address/guarded-lookup";
import { readRetryAfter } from "@sluice/shared/domain/backoff";
import { cutText } from "@sluice/shared/domain/cut-text";
import type { Dispatcher } from "undici";

import type { AttemptResult, ResponseHeaders } from "@sluice/attempt/attempt-result";
import { isOwnFault, type NotSent } from "./own-fault.ts";
import { expectSocket } from "./request-socket.ts";

/** The most that is read of a response. The connection is cut after it. */
const MAX_RESPONSE_BYTES = 64 * 1024;
/** The part of the response that the log keeps. */
const EXCERPT_BYTES = 1024;
const MAX_ERROR_LENGTH = 300;
const TOO_LATE = new Error("The deadline is over");

/** What an exchange needs of the client that sends it. */
type Abortable = Pick<Dispatcher.DispatchController, "abort">;

/**
 * A handler for undici of our own, because its handlers make a stream and several promises for each request, and go on
 * waiting for a connection after the deadline. What comes after the deadline is ignored.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly startedAtMs = Date.now();
  /** Sends the request again after undici refused `100 Continue`. */
  onContinue: (() => void) | undefined;
  readonly #started = performance.now();
  readonly #deadline: NodeJS.Timeout;
  #resolve: ((result: AttemptResult | NotSent) => void) | undefined;
  #controller: Abortable | undefined;
  #statusCode: number | null = null;
  #retryAfterMs: number | undefined;
  #address: string | null = null;
  #connectMs: number | null = null;
  #firstByteMs: number | null = null;
  #responseHeaders: ResponseHeaders | null = null;
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

  onRequestStart(controller: Abortable): void {
    this.#controller = controller;
    this.#connectMs = performance.now() - this.#started;
    expectSocket(this);
    // The request waited for its connection until the deadline was over, and MUST NOT be sent any more.
    if (this.#resolve === undefined) controller.abort(TOO_LATE);
  }

  /** The request is written to this connection. */
  onSocket({ remoteAddress, remotePort, remoteFamily }: Socket): void {
    if (remoteAddress === undefined) return;
    this.#address = remoteFamily === "IPv6" ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
  }

  onResponseStart(_controller: Abortable, statusCode: number, headers: ResponseHeaders): void {
    // An informational response comes before the final one.
    if (statusCode < 200) return;
    this.#statusCode = statusCode;
    this.#firstByteMs = performance.now() - this.#started;
    this.#responseHeaders = headers;
    const retryAfter = headers["retry-after"];
    this.#retryAfterMs = readRetryAfter(typeof retryAfter === "string" ? retryAfter : undefined, Date.now());
  }

  /** A response is complete at its end, or at the limit. */
  onResponseData(controller: Abortable, chunk: Buffer): void {
    if (this.#size < EXCERPT_BYTES) this.#excerpt.push(chunk.subarray(0, EXCERPT_BYTES - this.#size));
    this.#size += chunk.length;
    if (this.#size < MAX_RESPONSE_BYTES) return;
    this.#settle(null);
    controller.abort(new Error("The response is too large"));
  }

  onResponseEnd(): void {
    this.#settle(null);
  }

  onResponseError(_controller: Abortable | null, error: Error): void {
    if (this.onContinue === undefined || this.#resolve === undefined || !isContinueRefused(error)) {
      this.fail(error);
      return;
    }
    this.#controller = undefined;
    this.onContinue();
  }

  #settle(error: string | null): void {
    this.#end({
      startedAtMs: this.startedAtMs,
      durationMs: performance.now() - this.#started,
      statusCode: this.#statusCode,
      error,
      responseExcerpt: error === null ? toText(Buffer.concat(this.#excerpt)) : null,
      retryAfterMs: this.#retryAfterMs,
      seen: {
        address: this.#address,
        connectMs: this.#connectMs,
        firstByteMs: this.#firstByteMs,
        responseHeaders: this.#responseHeaders,
      },
    });
  }

  #end(result: AttemptResult | NotSent): void {
    clearTimeout(this.#deadline);
    this.#resolve?.(result);
    this.#resolve = undefined;
  }
}

/**
 * undici destroys the connection at a `100 Continue` that nobody asked for. A server may send one all the same (RFC 9110,
 * 15.2). Of the errors of a request that was written, only this one has this text; a test holds that.
 */
const isContinueRefused = (error: Error) =>
  error.message === "bad response" && "code" in error && error.code === "UND_ERR_SOCKET";

/** The start of a response as text that PostgreSQL can hold. A character that is cut at its end is left out. */
function toText(bytes: Buffer): string {
  return new StringDecoder("utf8").write(bytes).replaceAll("\u0000", "\uFFFD");
}

function describeFailure(error: unknown): string {
  // One error for each address of the host.
  if (error instanceof AggregateError && error.errors.length > 0)
    return cutText(error.errors.map(describeFailure).join("; "), MAX_ERROR_LENGTH);
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const text = error.message.includes(code) ? error.message : `${code} ${error.message}`;
  return cutText(text.replaceAll("\u0000", ""), MAX_ERROR_LENGTH);
}
