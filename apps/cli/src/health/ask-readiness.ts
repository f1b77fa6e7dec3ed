// Asks /readyz, which needs no key.

export interface ShownReadiness {
  status: string;
  version: string;
  checks: Record<string, { ok: boolean; problem?: string; problems?: string[] }>;
}

const ASK_LIMIT_MS = 5_000;

/** @param api the address of the API. @throws Error when nobody answers, or something else than a relay. */
export async function askReadiness(api: string): Promise<ShownReadiness> {
  const response = await fetch(`${api}/readyz`, { signal: AbortSignal.timeout(ASK_LIMIT_MS) });
  const body: unknown = await response.json();
  if (typeof body !== "object" || body === null || !("status" in body) || !("checks" in body))
    throw new Error("what answers is no relay");
  return body as ShownReadiness;
}
