// Calls an endpoint that a command names, with what the options of the command say.

import type { ApiEndpoint } from "@sluice/client/api-endpoint";
import { API_ENDPOINTS } from "@sluice/client/api-endpoints";
import type { SluiceClient } from "@sluice/client/client";

import { asked } from "../relay/relay-api.ts";

export type EndpointName = keyof typeof API_ENDPOINTS;

/** An answer of the API: columns and views take from it what they show. */
// oxlint-disable-next-line typescript/no-explicit-any -- the endpoint is chosen at run time.
export type ApiObject = any;

export interface CallValues {
  path?: Record<string, string>;
  query?: object;
  body?: object;
  isForced?: boolean;
}

export function endpointOf(name: EndpointName): ApiEndpoint {
  return API_ENDPOINTS[name];
}

/** @throws SluiceError as `asked` does. */
export async function callEndpoint(
  client: SluiceClient,
  name: EndpointName,
  { path = {}, query = {}, body, isForced = false }: CallValues = {},
): Promise<ApiObject> {
  const endpoint = endpointOf(name);
  const params = { path, query, ...(isForced && { header: { "Sluice-Force": "true" } }) };
  const method = endpoint.method as "GET";
  return asked(client.ask(method, endpoint.path, { params, ...(body !== undefined && { body }) }));
}
