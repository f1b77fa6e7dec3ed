// Enables a webhook again that Gemini or somebody disabled, sees that events arrive, and looks for the events of the
// gap.

import type { UpstreamIntent } from "../schema.ts";
import { pingUpstream } from "./upstream-ping.ts";
import { beginStep, recordUpstreamChange, type UpstreamWork } from "./upstream-work.ts";
import { saveUpstream } from "./upstreams.ts";

export async function healUpstream(
  work: UpstreamWork,
  webhookId: string,
  { since }: Extract<UpstreamIntent, { kind: "heal" }>,
): Promise<void> {
  const { dependencies, claim, row, webhooks, steps, warnings } = work;
  await beginStep(work, "enable");
  await webhooks.update(webhookId, { state: "enabled" });
  steps.push({ step: "enabled", detail: "The webhook is enabled at Gemini" });
  await pingUpstream(work, webhookId);
  try {
    await dependencies.reconcileNow(claim.sourceId, Date.parse(since));
    steps.push({ step: "reconciled", detail: `Jobs since ${since} are looked through for events that never came` });
  } catch (error) {
    // Failure policy: open. The webhook works again, and the regular reconciliation finds the gap later.
    dependencies.log.warn({ err: error, source: work.sourceName }, "the gap of a healed webhook is not reconciled yet");
    warnings.push({ code: "not_reconciled", detail: `Jobs since ${since} could not be looked through yet` });
  }
  await dependencies.db.orm.transaction(async (orm) => {
    const tx = { orm };
    await saveUpstream(tx, claim, { intent: null });
    await recordUpstreamChange(tx, work, "source.upstream_healed", { after: { webhook_id: webhookId, since } });
  });
  work.row = { ...row, intent: null };
}
