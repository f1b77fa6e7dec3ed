// Judges a captured request by the rules of the ingress, in the order of `admit`. It changes nothing: no event is stored, and no
// callback URL is used up.

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { CallbackToken } from "@sluice/signature/callback-token";
import { type Refusal, refuse } from "@sluice/signature/refusal";
import { judgeHeaders, type Verdict } from "@sluice/signature/verify";
import type { Source } from "@sluice/store/configuration/sources";

import type { CapturedRequest } from "../http/captured-request.ts";
import { judgeAccess } from "./access.ts";
import type { IngressDependencies } from "./ingress.ts";
import { judgeRequest } from "./judge.ts";
import { announcesTooMuch } from "./read-body.ts";
import { refuseConsumedUrl, refuseSpentToken, refuseTooLarge } from "./refusals.ts";

export interface ExamineDependencies extends Pick<
  IngressDependencies,
  "sources" | "keySets" | "callbackKey" | "isSpentToken" | "maxBodyBytes"
> {
  /** The webhook that used a single-use URL; undefined when none did. @throws SluiceError `unavailable` */
  findConsumer: (callback: CallbackToken) => Promise<string | undefined>;
  /** Why a worker refused this webhook after it was acknowledged; undefined when no worker did. */
  findLateRefusal: (source: Source, webhookId: string) => Promise<Refusal | undefined>;
}

/** @throws SluiceError `not_found` without a source of this name, `unavailable` while PostgreSQL cannot be asked. */
export async function examine(request: CapturedRequest, dependencies: ExamineDependencies): Promise<Verdict> {
  const { sources, keySets, callbackKey, isSpentToken, findConsumer, findLateRefusal, maxBodyBytes } = dependencies;
  const { sourceName, token, headers, body, atMs } = request;
  // Another gateway may have created the source a moment ago.
  const source = sources.find(sourceName) ?? (await sources.findNewer(sourceName, undefined));
  if (source === undefined) throw new SluiceError("not_found", "The gateway does not know this source");

  const contentLength = headers["content-length"];
  if (announcesTooMuch(contentLength, maxBodyBytes)) return refuseTooLarge(maxBodyBytes);
  const access = judgeAccess(source, token, callbackKey, atMs);
  if (access.kind === "refused") return access;
  const received = {
    webhookId: headers["webhook-id"],
    timestamp: headers["webhook-timestamp"],
    signature: headers["webhook-signature"],
  };
  const plausible = judgeHeaders(received, source, atMs);
  if (plausible.kind === "refused") return plausible;
  if (body.length > maxBodyBytes) return refuseTooLarge(maxBodyBytes);
  if (contentLength !== undefined && Number(contentLength) > body.length) {
    return refuse(
      "body_interrupted",
      `The body has ${body.length} of the ${contentLength} bytes that its header announces`,
    );
  }
  const verdict = await judgeRequest(plausible, body, source, { keySets, sources });
  if (verdict.kind !== "accepted") return verdict;
  const { webhookId, token: spent } = verdict;
  if (spent !== undefined && (await isSpentToken(source, spent, webhookId))) return refuseSpentToken();
  if (access.callback?.singleUse === true) {
    const consumer = await findConsumer(access.callback);
    if (consumer !== undefined && consumer !== webhookId) return refuseConsumedUrl();
  }
  return (await findLateRefusal(source, webhookId)) ?? verdict;
}
