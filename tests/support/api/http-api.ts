// The API of a test on a real port, for clients that need one.

import { createApi } from "@sluice/gateway/api/api";
import { openServer } from "@sluice/gateway/http/server";
import { closeServer, listen } from "@sluice/shared/runtime/http-server";

import type { TestApi } from "./test-api.ts";

export interface HttpApi {
  url: string;
  /** Cuts every connection off, as a load balancer does that restarts. */
  cutConnections: () => void;
  stop: () => Promise<void>;
}

export async function openHttpApi(api: TestApi): Promise<HttpApi> {
  const { server } = openServer(createApi(api).fetch, api.log);
  const url = await listen(server, { host: "127.0.0.1", port: 0 }, "API_PORT");
  return { url, cutConnections: () => server.closeAllConnections(), stop: () => closeServer(server, 0) };
}
