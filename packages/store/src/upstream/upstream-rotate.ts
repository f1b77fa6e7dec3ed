// Rotates the signing secret at Gemini with its overlap of 24 hours. The new secret, the end of the intent and the
// next time are one transaction: whatever crashes when, the intent is still there until the source has the secret.
// Then the rotation is made again. Meanwhile Gemini signs with the old secret, too.

import { storeUpstreamSecret } from "./upstream-secrets.ts";
import { beginStep, recordUpstreamChange, type UpstreamWork } from "./upstream-work.ts";
import { rotationAfter, saveUpstream } from "./upstreams.ts";

export async function rotateUpstream(work: UpstreamWork, webhookId: string): Promise<void> {
  const { dependencies, claim, row, webhooks, steps } = work;
  await beginStep(work, "rotate");
  const secret = await webhooks.rotate(webhookId);
  steps.push({ step: "rotated", detail: "Gemini made a new secret; the earlier one signs beside it for 24 hours" });
  await dependencies.db.orm.transaction(async (orm) => {
    const tx = { orm };
    await storeUpstreamSecret(orm, work, secret);
    await saveUpstream(tx, claim, { intent: null, nextRotationAt: rotationAfter(row.rotateEveryDays) });
    await recordUpstreamChange(tx, work, "source.upstream_rotated", { after: { webhook_id: webhookId } });
  });
  work.row = { ...row, intent: null };
  steps.push({ step: "secret_stored", detail: "The source has the new signing secret, encrypted" });
  await dependencies.sourcesChanged();
}
