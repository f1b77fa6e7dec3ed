// The relay's API as the console calls it: with the cookie of the session, from the page that the relay itself served.

import { ApiError } from "@sluice/client/api-error";
import { createSluiceClient } from "@sluice/client/client";
import { QueryCache, QueryClient } from "@tanstack/react-query";

import { noteAnswerTime } from "./clock.ts";

/** Sends a request, and learns from each answer what the relay's clock says. */
async function sendToRelay(request: Request): Promise<Response> {
  const response = await fetch(request);
  noteAnswerTime(response.headers.get("date"));
  return response;
}

export const relay = createSluiceClient({ baseUrl: location.origin, maxTries: 2, fetch: sendToRelay });

/** A read is repeated when nobody answered, and not when the relay refused it. */
const mayRepeat = (failures: number, error: Error) => failures < 2 && !(error instanceof ApiError);

export const queries: QueryClient = new QueryClient({
  defaultOptions: {
    // The browser does not know whether the relay can be reached: it may be on this machine.
    queries: { retry: mayRepeat, staleTime: 5_000, refetchOnWindowFocus: true, networkMode: "always" },
    mutations: { networkMode: "always" },
  },
  queryCache: new QueryCache({
    onError: (error) => {
      // The session has ended: signing in asks for it again, and comes back to this page.
      if (error instanceof ApiError && error.status === 401) queries.setQueryData(["session"], null);
    },
  }),
});

/** A read whose path and answer are known only when it is made, such as that of a list's next page. */
export async function readPath<T>(path: string, query: object = {}, signal?: AbortSignal): Promise<T> {
  return (await relay.ask("GET", path, { params: { query }, ...(signal && { signal }) })) as T;
}
