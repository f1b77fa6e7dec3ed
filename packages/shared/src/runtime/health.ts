// Liveness and readiness of every process, without a key: they say nothing that is worth hiding. Neither ever
// hangs, however much the stores do.

import { SluiceError } from "./errors.ts";
import { PROBLEM_MEDIA_TYPE, problemDocument } from "./problem-document.ts";
import { within } from "./within.ts";

/** Below the limits of common probes (compose: 5 s here). A store that needs longer is as good as away. */
const CHECK_LIMIT_MS = 2_000;

/** What a check found: whether all is well, and beside it whatever helps who reads it. */
export interface Finding {
  ok: boolean;
  [detail: string]: unknown;
}

export interface Check {
  /** Whether the process cannot do its work while this is not well. */
  isRequired: boolean;
  ask: () => Promise<Finding>;
}

export interface HealthAnswer {
  status: 200 | 405 | 503;
  headers: Record<string, string>;
  body: string;
}

/** Whether the process runs at all: a restart would not bring a store back. */
export function answerLiveness(method: string): HealthAnswer {
  return refuseOtherMethods(method) ?? answer(200, { status: "ok" });
}

export class Readiness {
  readonly #checks: [string, Check][];
  readonly #limitMs: number;
  readonly #pending = new Map<string, Promise<Finding>>();
  #isStopping = false;

  constructor(checks: Record<string, Check>, limitMs = CHECK_LIMIT_MS) {
    this.#checks = Object.entries(checks);
    this.#limitMs = limitMs;
  }

  /** From now on the process is not ready, whatever the checks say. */
  beginStop(): void {
    this.#isStopping = true;
  }

  /**
   * 200 `ready`; 200 `degraded` when something is not well that the process can do without; 503 `not_ready`, or
   * `stopping`. With what each check found.
   */
  async answer(method: string): Promise<HealthAnswer> {
    const refusal = refuseOtherMethods(method);
    if (refusal !== undefined) return refusal;
    const results = await Promise.all(
      this.#checks.map(async ([name, check]) => ({ name, ...check, finding: await this.#ask(name, check) })),
    );
    const checks = Object.fromEntries(results.map(({ name, finding }) => [name, finding]));
    if (this.#isStopping) return answer(503, { status: "stopping", checks });
    const unwell = results.filter(({ finding }) => !finding.ok);
    if (unwell.some(({ isRequired }) => isRequired)) return answer(503, { status: "not_ready", checks });
    return answer(200, { status: unwell.length === 0 ? "ready" : "degraded", checks });
  }

  /** One question at a time: a store that hangs MUST not cost a connection per probe. */
  async #ask(name: string, { ask }: Check): Promise<Finding> {
    let pending = this.#pending.get(name);
    if (pending === undefined) {
      pending = ask()
        .catch(() => ({ ok: false }))
        .finally(() => this.#pending.delete(name));
      this.#pending.set(name, pending);
    }
    return (await within(this.#limitMs, pending)) ?? { ok: false };
  }
}

function refuseOtherMethods(method: string): HealthAnswer | undefined {
  if (method === "GET" || method === "HEAD") return undefined;
  const error = new SluiceError("method_not_allowed", "This path takes GET, HEAD");
  const headers = { allow: "GET, HEAD", "content-type": PROBLEM_MEDIA_TYPE };
  return { status: 405, headers, body: JSON.stringify(problemDocument(error)) };
}

function answer(status: 200 | 503, document: object): HealthAnswer {
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return { status, headers, body: JSON.stringify(document) };
}
