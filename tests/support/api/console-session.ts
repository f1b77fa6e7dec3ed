// Signs in to the console as a browser does.

import { requireRange } from "@sluice/shared/address/ip";
import type { ApiDependencies } from "@sluice/gateway/api/api";
import { TrustedProxies } from "@sluice/gateway/http/trusted-proxies";

import { type Answer, createTestApi, type TestApi } from "./test-api.ts";

export const SESSION = "/console/session";
/** The address of a proxy that {@link behindProxy} trusts. */
export const PROXY = "10.0.0.1";
/** What a browser says of a request of the relay's own page. */
export const SAME_ORIGIN = { "sec-fetch-site": "same-origin" };

export const signIn = (
  api: TestApi,
  body: object,
  headers: Record<string, string> = SAME_ORIGIN,
  remoteAddress?: string,
): Promise<Answer> =>
  api.call("POST", SESSION, { key: null, body, headers, ...(remoteAddress !== undefined && { remoteAddress }) });

/** @returns the cookie that an answer sets, as a browser sends it. */
export const setCookieOf = ({ headers }: Answer): string => headers.get("set-cookie")?.split(";")[0] ?? "";

/** Signs in with an API key. @returns the header with the cookie. */
export async function cookieOf(api: TestApi, key: string): Promise<{ cookie: string }> {
  const answer = await signIn(api, { key });
  if (answer.status !== 201) throw new Error(`The sign-in was answered with ${answer.status}`);
  return { cookie: setCookieOf(answer) };
}

/** Asks without a key. */
export const ask = (
  api: TestApi,
  headers: Record<string, string>,
  path = "/v1/sources",
  method = "GET",
  body?: object,
): Promise<Answer> => api.call(method, path, { key: null, headers, body });

/** The same API behind proxies that it trusts. */
export const behindProxy = (api: TestApi, changes: Partial<ApiDependencies> = {}): Promise<TestApi> =>
  createTestApi(api.db, {
    masterKey: api.masterKey,
    trustedProxies: new TrustedProxies([requireRange("10.0.0.0/8")]),
    ...changes,
  });
