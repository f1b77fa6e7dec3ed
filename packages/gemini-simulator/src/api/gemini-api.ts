// Answers a request as Gemini: finds its project and its route, counts it, and lets a scripted fault happen.

import type { IncomingMessage, ServerResponse } from "node:http";

import type { SimulatorClock } from "../clock.ts";
import type { ApiRoute } from "./api-route.ts";
import type { CallFailure, CallFaults } from "./call-faults.ts";
import { type ApiAnswer, errorBody, GeminiError } from "./google-error.ts";
import type { RequestLog } from "./request-log.ts";

export interface GeminiApiParts {
  clock: SimulatorClock;
  routes: readonly ApiRoute[];
  faults: CallFaults;
  requests: RequestLog;
  /** The project of an API key; undefined for a key that is not valid. */
  projectOf: (apiKey: string) => string | undefined;
  /** The document of `/.well-known/jwks.json`. */
  keySet: () => Promise<object>;
}

const KEY_SET_PATH = "/.well-known/jwks.json";
const KEY_SET_SECONDS = 3600;

interface ReceivedCall {
  method: string;
  url: URL;
  apiKey: string;
  /** Empty without a body. */
  text: string;
}

export class GeminiApi {
  readonly #parts: GeminiApiParts;

  constructor(parts: GeminiApiParts) {
    this.#parts = parts;
  }

  async answer(request: IncomingMessage, response: ServerResponse, url: URL, text: string): Promise<void> {
    const { clock, faults, requests } = this.#parts;
    const header = request.headers["x-goog-api-key"];
    const apiKey = typeof header === "string" ? header : (url.searchParams.get("key") ?? "");
    const call: ReceivedCall = { method: request.method ?? "", url, apiKey, text };
    const found = this.#findRoute(call);
    const route = url.pathname === KEY_SET_PATH ? "jwks" : (found?.route.name ?? "unknown");
    const counted = { atMs: clock.nowMs(), apiKey, route, method: call.method, path: url.pathname, status: undefined };
    const finish = (answer: ApiAnswer) => {
      requests.add({ ...counted, status: answer.status });
      write(response, answer);
    };

    const fault = faults.take({ route, apiKey });
    if (fault === undefined) {
      finish(await this.#handle(call, found));
      return;
    }
    if (fault.effect === "applied") await this.#handle(call, found);
    if (fault.failure.kind === "error") {
      finish(scriptedAnswer(fault.failure));
      return;
    }
    requests.add(counted);
    // `request.destroy()` would leave the connection open, because the request is complete.
    if (fault.failure.kind === "cut") response.destroy();
    else faults.onClear(() => response.destroy());
  }

  async #handle(call: ReceivedCall, found: FoundRoute | undefined): Promise<ApiAnswer> {
    try {
      if (call.url.pathname === KEY_SET_PATH) {
        const headers = { "cache-control": `public, max-age=${KEY_SET_SECONDS}` };
        return { status: 200, headers, body: await this.#parts.keySet() };
      }
      if (found === undefined) throw new GeminiError(404, `There is no ${call.method} ${call.url.pathname}.`);
      const project = this.#projectOf(call.apiKey);
      const { route, params } = found;
      const body = parseCallBody(call.text);
      return { status: 200, body: route.handle({ project, params, query: call.url.searchParams, body }) };
    } catch (error) {
      if (error instanceof GeminiError) return error.toAnswer();
      throw error;
    }
  }

  #projectOf(apiKey: string): string {
    if (apiKey === "") throw new GeminiError(403, "Method doesn't allow unregistered callers. Please use an API key.");
    const project = this.#parts.projectOf(apiKey);
    if (project === undefined) throw new GeminiError(400, "API key not valid. Please pass a valid API key.");
    return project;
  }

  #findRoute({ method, url }: ReceivedCall): FoundRoute | undefined {
    const [, encoded] = /^\/v1(?:alpha|beta)?\/(.+)$/.exec(url.pathname) ?? [];
    const path = decodePath(encoded);
    if (path === undefined) return undefined;
    for (const route of this.#parts.routes) {
      const match = route.method === method ? route.path.exec(path) : null;
      if (match !== null) return { route, params: { ...match.groups } };
    }
    return undefined;
  }
}

interface FoundRoute {
  route: ApiRoute;
  params: Record<string, string>;
}

/** An id may come as `webhooks%2F…`. */
function decodePath(encoded: string | undefined): string | undefined {
  try {
    return encoded === undefined ? undefined : decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

function parseCallBody(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new GeminiError(400, "Invalid JSON payload received: the body is not JSON.");
  }
}

function scriptedAnswer(failure: Extract<CallFailure, { kind: "error" }>): ApiAnswer {
  const { status, retryAfterSeconds, form = "google" } = failure;
  const headers = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  return { status, headers, body: errorBody(status, "A scripted failure of the simulator.", form) };
}

function write(response: ServerResponse, { status, headers, body }: ApiAnswer): void {
  response.writeHead(status, { "content-type": "application/json; charset=UTF-8", ...headers });
  response.end(JSON.stringify(body));
}
