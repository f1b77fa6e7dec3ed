// Who uses the console: the session that the gateway made of an API key, a one-time code or the identity of a proxy.

import { ApiError } from "@sluice/client/api-error";
import { useQuery } from "@tanstack/react-query";

import { queries } from "./client.ts";

export interface Session {
  name: string;
  key_id: string | null;
  scopes: string[];
  /** The only target that this session may read; null for all. */
  target_id: string | null;
  expires_at: string;
  method: "key" | "code" | "identity";
}

export type NeededScope = "read" | "write" | "admin";

const PATH = "/console/session";
const ORDER: readonly NeededScope[] = ["read", "write", "admin"];

async function callSession(method: "GET" | "POST" | "DELETE", body?: object): Promise<unknown> {
  const response = await fetch(PATH, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  const text = await response.text();
  const answer = text === "" ? undefined : (readJson(text) ?? text);
  if (!response.ok) throw new ApiError({ call: `${method} ${PATH}`, response, body: answer });
  return answer;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @returns null without a session. */
async function askSession(): Promise<Session | null> {
  try {
    return (await callSession("GET")) as Session;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

export const sessionQuery = { queryKey: ["session"], queryFn: askSession, staleTime: 60_000 };

/** @param proof a key, a one-time code, or nothing for the identity that a proxy vouches for. */
export async function signIn(proof: { key?: string; code?: string }): Promise<void> {
  changeSession((await callSession("POST", proof)) as Session);
}

export async function signOut(): Promise<void> {
  await callSession("DELETE");
  changeSession(null);
}

/** What one person saw is nothing for the next. */
function changeSession(session: Session | null): void {
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionQuery.queryKey[0] });
  queries.setQueryData(sessionQuery.queryKey, session);
}

/** The session of a page that is shown only to people with one. */
export function useSession(): Session {
  const { data } = useQuery(sessionQuery);
  return data ?? { name: "", key_id: null, scopes: [], target_id: null, expires_at: "", method: "key" };
}

/** Why this session may not do something; undefined when it may. */
export function useRefusal(needed: NeededScope): string | undefined {
  const { scopes, name } = useSession();
  const isAllowed = scopes.some((scope) => ORDER.indexOf(scope as NeededScope) >= ORDER.indexOf(needed));
  return isAllowed
    ? undefined
    : `This needs the scope “${needed}”. The key “${name}” has: ${scopes.join(", ") || "none"}.`;
}
