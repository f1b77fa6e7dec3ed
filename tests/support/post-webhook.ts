// Posts a signed webhook to the ingress of a gateway, as a sender does.

import type { SignedWebhook } from "./sign.ts";

export interface IngressAnswer {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
  body: any;
}

/** @param path what follows `/in/`: the name of a source, and for a dynamic source its token. */
export async function postWebhook(
  ingressUrl: string,
  { headers, body }: SignedWebhook,
  path = "gemini",
): Promise<IngressAnswer> {
  const response = await fetch(`${ingressUrl}/in/${path}`, { method: "POST", headers, body });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
