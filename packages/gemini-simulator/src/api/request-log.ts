// Counts the calls by API key and route, which shows what a client costs its quota, and remembers the last of them.

export interface CountedRequest {
  /** By the simulator's clock. */
  atMs: number;
  /** Empty when the request has none. */
  apiKey: string;
  /** The name of the route, such as `batches.list`; `unknown` for a path that Gemini does not have. */
  route: string;
  method: string;
  path: string;
  /** Undefined when the call was not answered. */
  status: number | undefined;
}

export interface RequestFilter {
  apiKey?: string;
  route?: string;
  /** By the simulator's clock; only requests that are remembered. */
  sinceMs?: number;
}

/** So many requests are remembered. The counts go on. */
const REMEMBERED = 100_000;

export class RequestLog {
  #requests: CountedRequest[] = [];
  readonly #counts = new Map<string, Map<string, number>>();

  add(request: CountedRequest): void {
    this.#requests.push(request);
    // Now and then half of them go, because to remove one after the other costs more.
    if (this.#requests.length > 2 * REMEMBERED) this.#requests = this.#requests.slice(-REMEMBERED);
    const routes = this.#counts.get(request.apiKey) ?? new Map<string, number>();
    this.#counts.set(request.apiKey, routes.set(request.route, (routes.get(request.route) ?? 0) + 1));
  }

  /** The oldest first. */
  list({ apiKey, route, sinceMs }: RequestFilter = {}): CountedRequest[] {
    return this.#requests.filter(
      (request) =>
        (apiKey === undefined || request.apiKey === apiKey) &&
        (route === undefined || request.route === route) &&
        (sinceMs === undefined || request.atMs >= sinceMs),
    );
  }

  count(filter: RequestFilter = {}): number {
    return this.list(filter).length;
  }

  /** All requests since the start, by API key and route. */
  counts(): Record<string, Record<string, number>> {
    return Object.fromEntries([...this.#counts].map(([apiKey, routes]) => [apiKey, Object.fromEntries(routes)]));
  }
}
