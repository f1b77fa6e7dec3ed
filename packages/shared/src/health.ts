// Liveness and readiness of every process, without a key: they say nothing that is worth hiding. Neither ever
// hangs, however much the stores do.

import { SluiceError } from "./errors.ts";
import { PROBLEM_MEDIA_TYPE, problemDocument } from "./problem-document.ts";
import { within } from "./within.ts";

/** Below the limits of common probes (compose: 5 s here). A store that needs longer is as good as away. */
const CHECK_LIMIT_MS = 2_000;

export interface Check {
  /** Whether the process cannot do its work without. */
  isRequired: boolean;
  /** Whether a store answers now. */
  ask: () => Promise<boolean>;
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
  readonly #pending = new Map<string, Promise<boolean>>();
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
   * 200 `ready`; 200 `degraded` when something is away that the process can do without; 503 `not_ready`, or
   * `stopping`.
   */
  async answer(method: string): Promise<HealthAnswer> {
    const refusal = refuseOtherMethods(method);
    if (refusal !== undefined) return refusal;
    const results = await Promise.all(
      this.#checks.map(async ([name, check]) => ({ name, ...check, answers: await this.#ask(name, check) })),
    );
    const checks = Object.fromEntries(results.map(({ name, answers }) => [name, answers]));
    if (this.#isStopping) return answer(503, { status: "stopping", checks });
    const away = results.filter(({ answers }) => !answers);
    if (away.some(({ isRequired }) => isRequired)) return answer(503, { status: "not_ready", checks });
    return answer(200, { status: away.length === 0 ? "ready" : "degraded", checks });
  }

  /** One question at a time: a store that hangs MUST not cost a connection per probe. */
  async #ask(name: string, { ask }: Check): Promise<boolean> {
    let pending = this.#pending.get(name);
    if (pending === undefined) {
      pending = ask()
        .catch(() => false)
        .finally(() => this.#pending.delete(name));
      this.#pending.set(name, pending);
    }
    return (await within(this.#limitMs, pending)) ?? false;
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
