// Ends the management of a webhook: deletes it at Gemini and forgets it. The signing secrets of the source stay,
// because what Gemini sent before is retried for a day and must still verify.

import { GeminiFailure } from "@sluice/gemini/failure";

import type { Author } from "../requests/audit.ts";
import { beginStep, openUpstreamWork, recordUpstreamChange, type UpstreamDependencies } from "./upstream-work.ts";
import { CHECK_EVERY_MS } from "./upstream-run.ts";
import { deleteUpstream, releaseUpstream, type UpstreamClaim, type UpstreamRow } from "./upstreams.ts";

/**
 * @param keepWebhook forgets the webhook and leaves it at Gemini, which needs no API key.
 * @throws GeminiFailure, SluiceError `upstream_not_configured` and `upstream_busy`; then nothing is forgotten.
 */
export async function deregisterUpstream(
  dependencies: UpstreamDependencies,
  claim: UpstreamClaim,
  author: Author,
  { row: { webhookId, uri }, keepWebhook }: { row: UpstreamRow; keepWebhook: boolean },
): Promise<void> {
  const { db } = dependencies;
  try {
    if (webhookId !== null && !keepWebhook) await deleteAtGemini(dependencies, claim, author, webhookId);
    await db.orm.transaction(async (orm) => {
      const tx = { orm };
      await deleteUpstream(tx, claim);
      const before = { webhook_id: webhookId, uri };
      await recordUpstreamChange(tx, { author, claim }, "source.upstream_deregistered", { before });
    });
  } catch (error) {
    await releaseUpstream(db, claim, CHECK_EVERY_MS);
    throw error;
  }
}

async function deleteAtGemini(
  dependencies: UpstreamDependencies,
  claim: UpstreamClaim,
  author: Author,
  webhookId: string,
): Promise<void> {
  const work = await openUpstreamWork(dependencies, claim, author);
  await beginStep(work, "delete");
  try {
    await work.webhooks.delete(webhookId);
  } catch (error) {
    // It was deleted before, perhaps by a call of this one whose answer was lost.
    if (!(error instanceof GeminiFailure && error.kind === "not_found")) throw error;
  }
}
