// The webhooks at Gemini, and what the sources ask there, as figures for the metrics.

import { eq, isNotNull, or, sql } from "drizzle-orm";

import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { Secret } from "@sluice/shared/settings/secret";

import { listSourcesWithKey } from "../configuration/gemini-keys.ts";
import type { Connection } from "../connection/database.ts";
import { jobSources, sources, upstreams } from "../schema.ts";
import { countGeminiRequests } from "./request-budget.ts";

export interface UpstreamFigures {
  sourceName: string;
  /** Null for a source whose jobs alone are watched, as is `drift`. */
  isEnabled: boolean | null;
  /** How many differences there are. */
  drift: number | null;
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
      isEnabled: sql<
        boolean | null
      >`CASE WHEN ${upstreams.webhookId} IS NOT NULL THEN coalesce(${upstreams.seen} ->> 'state' = 'enabled', false) END`,
      drift: sql<
        number | null
      >`CASE WHEN ${upstreams.webhookId} IS NOT NULL THEN jsonb_array_length(${upstreams.drift}) END`,
    })
    .from(sources)
    .leftJoin(upstreams, eq(upstreams.sourceId, sources.id))
    .leftJoin(jobSources, eq(jobSources.sourceId, sources.id))
    .where(or(isNotNull(upstreams.webhookId), isNotNull(jobSources.sourceId)));
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
