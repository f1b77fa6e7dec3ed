// Liveness and readiness of every process. They need no key, because they say nothing that is worth hiding. They answer
// in time also when a store hangs.

import { cutText } from "../domain/cut-text.ts";
import { SLUICE_VERSION } from "../domain/version.ts";
import { SluiceError } from "./errors.ts";
import { PROBLEM_MEDIA_TYPE, problemDocument } from "./problem-document.ts";
import { within } from "./within.ts";

/**
 * The time for one check, below the limits of common probes (our compose file: 5 s). A store that needs longer counts
 * as away.
 */
const CHECK_LIMIT_MS = 2_000;
const MAX_PROBLEM_LENGTH = 300;

/** What a check found: whether all is well, and details that help whoever reads the answer. */
export interface Finding {
  ok: boolean;
  [detail: string]: unknown;
}

export interface Check {
  /** Whether the process cannot do its work while this check fails. */
  isRequired: boolean;
  ask: () => Promise<Finding>;
}

export interface HealthAnswer {
  status: 200 | 405 | 503;
  headers: Record<string, string>;
  body: string;
}

/** Says that the process runs. It asks no store, because a restart of this process would not bring a store back. */
export function answerLiveness(method: string): HealthAnswer {
  return refuseOtherMethods(method) ?? answerStatus(200, { status: "ok" });
}

export type ReadinessStatus = "ready" | "degraded" | "not_ready" | "stopping";

/** What all checks found, by their names, and what follows from it. */
export interface ReadinessReport {
  status: ReadinessStatus;
  checks: Readonly<Record<string, Finding>>;
  problems: CheckProblem[];
}

export interface CheckProblem {
  /** The check. */
  name: string;
  problem: string;
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

  /** From now on the process is not ready, also when all checks pass. */
  beginStop(): void {
    this.#isStopping = true;
  }

  /**
   * `ready` when all checks pass, `degraded` when only checks fail that are not required, `not_ready` when a required check
   * fails, `stopping` after {@link beginStop}.
   */
  async read(): Promise<ReadinessReport> {
    const results = await this.#askAll();
    const unwell = results.filter(({ finding }) => !finding.ok);
    return {
      status: this.#statusOf(unwell),
      checks: Object.fromEntries(results.map(({ name, finding }) => [name, finding])),
      problems: unwell.map(({ name, finding }) => ({ name, problem: describeProblem(finding) })),
    };
  }

  /** Answers a probe: 200 while the process can do its work, also `degraded`, and else 503. */
  async answer(method: string): Promise<HealthAnswer> {
    const refusal = refuseOtherMethods(method);
    if (refusal !== undefined) return refusal;
    const { status, checks } = await this.read();
    return answerStatus(status === "ready" || status === "degraded" ? 200 : 503, {
      status,
      version: SLUICE_VERSION,
      checks,
    });
  }

  #statusOf(unwell: readonly Pick<Check, "isRequired">[]): ReadinessStatus {
    if (this.#isStopping) return "stopping";
    if (unwell.some(({ isRequired }) => isRequired)) return "not_ready";
    return unwell.length === 0 ? "ready" : "degraded";
  }

  /** What fails now, whether it is required or not. */
  async findProblems(): Promise<CheckProblem[]> {
    return (await this.read()).problems;
  }

  async #askAll() {
    return Promise.all(
      this.#checks.map(async ([name, check]) => ({ name, ...check, finding: await this.#ask(name, check) })),
    );
  }

  /** Asks one question at a time: a store that hangs MUST NOT cost a connection per probe. */
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

/** The words that the check itself has for it. */
function describeProblem({ problem, problems }: Finding): string {
  const words = [problem, ...(Array.isArray(problems) ? (problems as unknown[]) : [])];
  const texts = words.filter((word) => typeof word === "string" && word !== "");
  return cutText(texts.length === 0 ? "it is not ok" : texts.join("; "), MAX_PROBLEM_LENGTH);
}

function refuseOtherMethods(method: string): HealthAnswer | undefined {
  if (method === "GET" || method === "HEAD") return undefined;
  const error = new SluiceError("method_not_allowed", "This path takes GET, HEAD");
  const headers = { allow: "GET, HEAD", "content-type": PROBLEM_MEDIA_TYPE };
  return { status: 405, headers, body: JSON.stringify(problemDocument(error)) };
}

function answerStatus(status: 200 | 503, document: object): HealthAnswer {
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return { status, headers, body: JSON.stringify(document) };
}
