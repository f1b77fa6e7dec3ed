// One attempt: a signed POST of the body as it was received, with one deadline over the whole response. A chat target gets
// a message in its place, which nobody verifies.

import type { AttemptResult } from "@sluice/attempt/attempt-result";
import { requestHeaders } from "@sluice/attempt/request-headers";
import { isChatKind } from "@sluice/shared/domain/target-kinds";
import type { TraceContext } from "@sluice/shared/domain/trace-context";
import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";
import type { Target } from "@sluice/store/configuration/targets";

import { chatAddress, chatBody } from "../chat/chat-request.ts";
import { Exchange } from "./exchange.ts";
import { requestByNode } from "./node-request.ts";
import type { OpenSockets } from "./open-sockets.ts";
import type { NotSent } from "./own-fault.ts";
import type { TargetConnections } from "./target-connections.ts";

/** So many origins are remembered that answer `100 Continue` first. */
const CONTINUING_ORIGINS = 1_000;

/** Sends deliveries over the connections that all targets share. */
export class Sender {
  readonly #connections: Pick<TargetConnections, "routeTo">;
  readonly #sockets: Pick<OpenSockets, "mayKeep"> | undefined;
  readonly #apiUrl: string | undefined;
  readonly #continuing = new Set<string>();

  /**
   * @param sockets says whether connections may stay open; undefined when all may.
   * @param apiUrl to which the messages of chat targets link; undefined for messages without links.
   */
  constructor(
    connections: Pick<TargetConnections, "routeTo">,
    sockets?: Pick<OpenSockets, "mayKeep">,
    apiUrl?: string,
  ) {
    this.#connections = connections;
    this.#sockets = sockets;
    this.#apiUrl = apiUrl;
  }

  /**
   * Makes one attempt. Never rejects: the result says what went wrong.
   * @param trace is sent with the request; a chat target gets none.
   */
  send(target: Target, delivery: ClaimedDelivery, trace?: TraceContext): Promise<AttemptResult | NotSent> {
    return new Promise((resolve) => {
      const exchange = new Exchange(target.timeoutSeconds, resolve);
      try {
        const { url, headers, body } = this.#requestFor(target, delivery, trace, exchange.startedAtMs);
        const { pools, connect } = this.#connections.routeTo(target);
        const { origin, pathname, search } = url;
        if (this.#continuing.has(origin)) {
          requestByNode(connect, { url, headers, body }, exchange);
          return;
        }
        // The target gets the request twice in one attempt, with the same webhook-id, and only until its origin is known.
        exchange.onContinue = () => {
          this.#remember(origin);
          requestByNode(connect, { url, headers, body }, exchange);
        };
        const reset = this.#sockets?.mayKeep === false;
        const request = { path: pathname + search, method: "POST", headers, body, reset } as const;
        pools.poolFor(origin).dispatch(request, exchange);
      } catch (error) {
        exchange.fail(error);
      }
    });
  }

  #requestFor(target: Target, delivery: ClaimedDelivery, trace: TraceContext | undefined, nowMs: number) {
    const { kind, chatUrl, uri } = target;
    if (!isChatKind(kind))
      return { url: new URL(uri), headers: requestHeaders(target, delivery, trace, nowMs), body: delivery.body };
    const headers = { "user-agent": "sluice", "content-type": "application/json" };
    return { url: chatAddress(kind, chatUrl ?? ""), headers, body: chatBody(kind, delivery, this.#apiUrl) };
  }

  #remember(origin: string): void {
    const [oldest] = this.#continuing;
    if (this.#continuing.size === CONTINUING_ORIGINS && oldest !== undefined) this.#continuing.delete(oldest);
    this.#continuing.add(origin);
  }
}
