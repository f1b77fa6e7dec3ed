// What goes wrong with calls of the API: errors, connections that are cut and answers that never come, each before or
// after the call has had its effect. A lost answer of `create` or `rotateSigningSecret` makes a secret that nobody sees.

import type { ErrorForm } from "./google-error.ts";

export type CallFailure =
  /** `retryAfterSeconds` is the header of a 429 or a 503. */
  | { kind: "error"; status: number; retryAfterSeconds?: number | undefined; form?: ErrorForm | undefined }
  /** The connection is cut without an answer. */
  | { kind: "cut" }
  /** No answer comes, and the connection stays open until the faults are cleared. */
  | { kind: "hang" };

export interface CallFault {
  failure: CallFailure;
  /** Whether the call has its effect before it fails. */
  effect?: "none" | "applied" | undefined;
  /** The name of a route, such as `webhooks.create`; all routes when not given. */
  route?: string | undefined;
  apiKey?: string | undefined;
  /** So many calls fail; 1 when not given. */
  times?: number | undefined;
  /** So many calls succeed first. */
  after?: number | undefined;
}

interface FailingCall {
  route: string;
  apiKey: string;
}

export class CallFaults {
  #faults: { fault: CallFault; leftAfter: number; leftTimes: number }[] = [];
  #cleared: (() => void)[] = [];

  add(fault: CallFault): void {
    this.#faults.push({ fault, leftAfter: fault.after ?? 0, leftTimes: fault.times ?? 1 });
  }

  /** Ends all faults, and cuts the calls that hang. */
  clear(): void {
    this.#faults = [];
    for (const end of this.#cleared.splice(0)) end();
  }

  /** Takes the fault of a call. Each call counts for one fault at most. */
  take({ route, apiKey }: FailingCall): CallFault | undefined {
    for (const entry of this.#faults) {
      const { fault } = entry;
      if (entry.leftTimes <= 0) continue;
      if (fault.route !== undefined && fault.route !== route) continue;
      if (fault.apiKey !== undefined && fault.apiKey !== apiKey) continue;
      if (entry.leftAfter > 0) {
        entry.leftAfter -= 1;
        return undefined;
      }
      entry.leftTimes -= 1;
      return fault;
    }
    return undefined;
  }

  onClear(end: () => void): void {
    this.#cleared.push(end);
  }
}
