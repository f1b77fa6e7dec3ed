// The webhooks at Gemini as figures for the metrics.

import { eq, isNotNull, sql } from "drizzle-orm";

import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { Secret } from "@sluice/shared/settings/secret";

import { listSourcesWithKey } from "../configuration/gemini-keys.ts";
import type { Connection } from "../connection/database.ts";
import { sources, upstreams } from "../schema.ts";
import { countGeminiRequests } from "./request-budget.ts";

export interface UpstreamFigures {
  sourceName: string;
  isEnabled: boolean;
  /** How many differences there are. */
  drift: number;
  /** Requests in this hour with the API key of the source; undefined without a key. */
  requests: number | undefined;
}

/** @param environmentKey `GEMINI_API_KEY` */
export async function readUpstreamFigures(
  db: Connection,
  masterKey: MasterKey,
  environmentKey: Secret<string> | undefined,
): Promise<UpstreamFigures[]> {
  const rows = await db.orm
    .select({
      sourceName: sources.name,
      isEnabled: sql<boolean>`coalesce(${upstreams.seen} ->> 'state' = 'enabled', false)`,
      drift: sql<number>`jsonb_array_length(${upstreams.drift})`,
    })
    .from(upstreams)
    .innerJoin(sources, eq(sources.id, upstreams.sourceId))
    .where(isNotNull(upstreams.webhookId));
  if (rows.length === 0) return [];
  const keys = await listSourcesWithKey(db, masterKey, environmentKey);
  const counts = new Map<string, Promise<number>>();
  const count = (keyId: string) => {
    const counting = counts.get(keyId) ?? countGeminiRequests(db, keyId);
    counts.set(keyId, counting);
    return counting;
  };
  return Promise.all(
    rows.map(async (row) => {
      const key = keys.find(({ sourceName }) => sourceName === row.sourceName);
      return { ...row, requests: key === undefined ? undefined : await count(key.keyId) };
    }),
  );
}
