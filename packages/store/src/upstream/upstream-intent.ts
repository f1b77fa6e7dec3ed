// What is about to be done with the webhook of a source. An intent is committed before Gemini is asked.

import type { Connection } from "../connection/database.ts";
import { idTime } from "@sluice/shared/domain/ids";

import type { UpstreamIntent } from "../schema.ts";
import { findLastEvent } from "./upstream-ping.ts";
import type { UpstreamRow } from "./upstreams.ts";

const begin = () => ({ step: "begun", began_at: new Date().toISOString(), failures: 0 });

/** @param subscribedEvents null keeps those of a webhook that exists, and gives a new one all. */
export const toRegister = (uri: string, subscribedEvents: string[] | null): UpstreamIntent => ({
  kind: "register",
  ...begin(),
  uri,
  subscribed_events: subscribedEvents,
});

export const toRotate = (): UpstreamIntent => ({ kind: "rotate", ...begin() });

/** Events may be missing since the last one that came. */
export async function toHeal(on: Connection, { sourceId, createdAt }: UpstreamRow): Promise<UpstreamIntent> {
  const last = await findLastEvent(on, sourceId);
  const since = last === undefined ? createdAt : new Date(idTime(last.id));
  return { kind: "heal", ...begin(), since: since.toISOString() };
}
