// The typed client of the relay's API, for Node and for browsers. Its types are made from the OpenAPI document
// (api-types.ts), and `openapi-fetch` makes the requests. It adds keys, errors, repetitions, lists and the tail.

import createFetchClient, { type Client, type FetchResponse, type MaybeOptionalInit } from "openapi-fetch";
import type { HttpMethod, MediaType, PathsWithMethod, RequiredKeysOf } from "openapi-typescript-helpers";

import { ApiError, NoAnswerError } from "./api-error.ts";
import type { components, paths } from "./api-types.ts";
import { type Fetch, repeating } from "./repeat.ts";
import { followTail, type TailConnection, type TailEntry } from "./tail.ts";
import { whileHeld } from "./while-held.ts";

/** The resources of the API by name: `Schemas["Target"]`. */
export type Schemas = components["schemas"];

export interface SluiceClientOptions {
  /** The address of the API, such as `http://127.0.0.1:8081`. It may have a path. */
  baseUrl: string;
  /** Without one, a page of the relay itself calls with the cookie of its session. */
  apiKey?: string;
  /** How often a call is sent at most, when the relay is away or busy for a moment. The default is 3; 1 repeats nothing. */
  maxTries?: number;
  /** How long one try may take. The default is 60 seconds, which is more than any call of the API needs. */
  timeoutMs?: number;
  /** Sends a request. The default is the global `fetch`. */
  fetch?: Fetch;
}

type Call<Method extends HttpMethod> = <
  Path extends PathsWithMethod<paths, Method>,
  Init extends MaybeOptionalInit<paths[Path], Method>,
>(
  path: Path,
  ...init: RequiredKeysOf<Init> extends never ? [Init?] : [Init]
) => Promise<DataOf<Path, Method, Init>>;

type DataOf<Path extends keyof paths, Method extends HttpMethod, Init> = paths[Path][Method &
  keyof paths[Path]] extends infer Endpoint extends Record<string | number, unknown>
  ? Exclude<FetchResponse<Endpoint, Init, MediaType>, { data?: never }>["data"]
  : never;

/** The lists with a `next_cursor`. Those of Gemini's WebhookService have pages of another form. */
type ListPath = {
  [Path in keyof paths]: paths[Path] extends {
    get: { responses: { 200: { content: { "application/json": ListAnswer } } } };
  }
    ? Path
    : never;
}[keyof paths];

interface ListAnswer {
  data: unknown[];
  next_cursor: string | null;
}

type EntryOf<Path extends ListPath> =
  paths[Path]["get"]["responses"][200]["content"]["application/json"]["data"][number];
type QueryOf<Path extends ListPath | "/v1/tail"> = NonNullable<paths[Path]["get"]["parameters"]["query"]>;

export interface TailRequest {
  /** The filters of `/v1/tail`. */
  query?: Omit<QueryOf<"/v1/tail">, "last_event_id" | "for_seconds">;
  /** The `lastEventId` of the last entry that you have. Without it the tail begins now. */
  lastEventId?: string | undefined;
  /** Ends the tail. */
  signal?: AbortSignal;
  /** Is told each connection that is there, and each that is lost. The tail itself goes on and misses nothing. */
  onConnection?: (state: TailConnection) => void;
}

/**
 * Each call rejects with ApiError when the relay refuses it, with NoAnswerError when nobody answers, and with the reason of
 * its `signal` when that aborts.
 *
 * A call is repeated when the relay is away or busy for a moment. Every POST and PUT has an `Idempotency-Key`, your own or
 * a new one, so that a repetition has no second effect. Other changes are repeated, too, unless they have an `If-Match`.
 */
export interface SluiceClient {
  get: Call<"get">;
  post: Call<"post">;
  put: Call<"put">;
  patch: Call<"patch">;
  delete: Call<"delete">;
  /** Reads a list to its end, page by page. `query` has its filters; `limit` is the size of a page. */
  list: <Path extends ListPath>(
    path: Path,
    query?: Omit<QueryOf<Path>, "cursor">,
    options?: { signal?: AbortSignal },
  ) => AsyncGenerator<EntryOf<Path>, void>;
  /** A call whose method and path are known only when it is made: they, its parameters and its answer have no types. */
  ask: (method: Uppercase<HttpMethod>, path: string, init?: object) => Promise<unknown>;
  /** Follows the log live, also over lost connections, until you stop reading or abort. */
  tail: (request?: TailRequest) => AsyncGenerator<TailEntry, void>;
  /** The client of `openapi-fetch` below: for the headers of an answer, such as `ETag`. It returns errors. */
  raw: Client<paths>;
}

const PAGE_LIMIT = 250;

export function createSluiceClient(options: SluiceClientOptions): SluiceClient {
  const { baseUrl, apiKey, maxTries = 3, timeoutMs = 60_000, fetch = globalThis.fetch } = options;
  const send: Fetch = (request) => fetch(request);
  const raw = createFetchClient<paths>({
    baseUrl,
    fetch: repeating({ fetch: send, maxTries, timeoutMs }),
    headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
  });
  const ask = async (method: Uppercase<HttpMethod>, path: string, init: object = {}): Promise<unknown> => {
    const request = raw[method] as (path: string, init: object) => Promise<RawAnswer>;
    const answer = await whileHeld([init], () => request(path, init)).catch((error: unknown) => {
      // Something else than the API answers at this address.
      if (error instanceof SyntaxError) throw new NoAnswerError(`${method} ${baseUrl}${path}`, error);
      throw error;
    });
    return unwrap(`${method} ${path}`, answer);
  };
  const call = <Method extends HttpMethod>(method: Method): Call<Method> => {
    const name = method.toUpperCase() as Uppercase<HttpMethod>;
    return (async (path: string, init: object = {}) => ask(name, path, init)) as never;
  };

  async function* list(path: string, query: object = {}, { signal }: { signal?: AbortSignal } = {}) {
    let cursor: string | null = null;
    do {
      const params: object = { query: { limit: PAGE_LIMIT, ...query, ...(cursor !== null && { cursor }) } };
      const page = (await ask("GET", path, { params, ...(signal && { signal }) })) as ListAnswer;
      yield* page.data;
      cursor = page.next_cursor;
    } while (cursor !== null);
  }

  const tail = (wanted: TailRequest = {}) => {
    const { query = {}, lastEventId, signal = new AbortController().signal, onConnection } = wanted;
    const connect = async (after: string | undefined, within: AbortSignal) => {
      const answer = await raw
        .GET("/v1/tail", {
          params: { query },
          headers: after === undefined ? {} : { "last-event-id": after },
          parseAs: "stream",
          signal: within,
          // The tail connects again by itself, and its answer has no end.
          fetch: (request) => whileHeld([request], () => send(request)),
        })
        .catch((error: unknown) => {
          throw new NoAnswerError(`GET ${baseUrl}/v1/tail`, error);
        });
      return unwrap("GET /v1/tail", answer) as ReadableStream<Uint8Array>;
    };
    return followTail({ connect, lastEventId, signal, onConnection });
  };

  return {
    get: call("get"),
    post: call("post"),
    put: call("put"),
    patch: call("patch"),
    delete: call("delete"),
    list: list as SluiceClient["list"],
    ask,
    tail,
    raw,
  };
}

interface RawAnswer {
  data?: unknown;
  error?: unknown;
  response: Response;
}

function unwrap(name: string, { data, error, response }: RawAnswer): unknown {
  if (!response.ok) throw new ApiError({ call: name, response, body: error });
  return data;
}
