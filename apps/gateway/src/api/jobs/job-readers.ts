// What reading jobs at Gemini costs, and how it goes: one entry for each API key, whose requests have a budget.

import { z } from "@hono/zod-openapi";

import { formatId } from "@sluice/shared/domain/ids";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { Secret } from "@sluice/shared/settings/secret";
import { listSourcesWithKey } from "@sluice/store/configuration/gemini-keys";
import type { Database } from "@sluice/store/connection/database";
import { listJobReaders } from "@sluice/store/upstream/jobs-readers";
import { countGeminiRequests } from "@sluice/store/upstream/request-budget";

import { idField } from "../openapi/endpoint.ts";

export interface JobReadersDependencies {
  db: Database;
  masterKey: MasterKey;
  geminiApiKey: Secret<string> | undefined;
  geminiRequestsPerHour: number;
}

export const jobReaderSchema = z
  .object({
    sources: z.array(idField("src")).openapi({
      description: "The sources that share the key: a job is seen when its event came by any of them",
    }),
    requests_this_hour: z
      .int()
      .openapi({ description: "The requests to Gemini with this key, of all processes", example: 12 }),
    requests_per_hour: z.int().openapi({ description: "`GEMINI_REQUESTS_PER_HOUR`", example: 1_000 }),
    listed_at: z
      .string()
      .nullable()
      .openapi({ format: "date-time", description: "The last look at the list of batches" }),
    paused_until: z.string().nullable().openapi({ format: "date-time", description: "Gemini is not asked before" }),
    problem: z.string().nullable().openapi({ description: "Why the last try failed", example: null }),
  })
  .openapi("JobReader");

type ShownReader = z.infer<typeof jobReaderSchema>;

/** Shows the keys by which jobs are or were read. */
export async function showJobReaders(dependencies: JobReadersDependencies): Promise<ShownReader[]> {
  const { db, masterKey, geminiApiKey, geminiRequestsPerHour } = dependencies;
  const readers = await listJobReaders(db);
  if (readers.size === 0) return [];
  const sources = await listSourcesWithKey(db, masterKey, geminiApiKey);
  const shown: ShownReader[] = [];
  for (const [keyId, group] of Map.groupBy(sources, (source) => source.keyId)) {
    const reader = readers.get(keyId);
    if (reader === undefined) continue;
    shown.push({
      sources: group.map(({ sourceId }) => formatId("src", sourceId)),
      requests_this_hour: await countGeminiRequests(db, keyId),
      requests_per_hour: geminiRequestsPerHour,
      listed_at: reader.listedAt?.toISOString() ?? null,
      paused_until: reader.pausedUntil?.toISOString() ?? null,
      problem: reader.problem,
    });
  }
  return shown;
}
