// Reads jobs at Gemini through Google's SDK, in the words of Sluice. Each call is one request, and each failure is a
// GeminiFailure.

import { readRetryAfter } from "@sluice/shared/domain/backoff";
import { type GeminiJobKind, type JobReading } from "@sluice/shared/domain/job-ends";
import type { Secret } from "@sluice/shared/settings/secret";

import { toGeminiFailure } from "./failure.ts";
import { type GeminiSettings, openGeminiClient, SENT_ONCE } from "./open-client.ts";
import { readBatchJob, readBatchFailure, readInteraction, readVideo } from "./jobs-readings.ts";

export interface BatchPage {
  /** As Gemini orders them: the newest first. */
  batches: JobReading[];
  /** Undefined on the last page. */
  nextPageToken: string | undefined;
}

export interface GeminiJobs {
  /** Lists a page of the batches of the key's project. */
  listBatches: (pageToken?: string) => Promise<BatchPage>;
  read: (kind: GeminiJobKind, name: string) => Promise<JobReading>;
  /** Why a batch failed: what `data` of its event has. The list and `batches.get` of the SDK leave it out. */
  readBatchFailure: (name: string) => Promise<Record<string, unknown>>;
  /** What the last `Retry-After` said, in milliseconds; undefined when no answer had one. */
  readonly retryAfterMs: number | undefined;
}

/** Without a size, Google's service was seen to answer an empty page. It gives fewer where it wants. */
const PAGE_SIZE = 100;

/** Opens the reader of a key's jobs. Its calls throw GeminiFailure. */
export async function openGeminiJobs(key: Secret<string>, settings: GeminiSettings): Promise<GeminiJobs> {
  const sdk = await import("./sdk.ts");
  let retryAfterMs: number | undefined;
  const client = await openGeminiClient(key, {
    ...settings,
    answered: (answer) => {
      retryAfterMs = readRetryAfter(answer.headers.get("retry-after") ?? undefined, Date.now()) ?? retryAfterMs;
    },
  });
  const call = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw toGeminiFailure(error, name, key.reveal());
    }
  };
  /** Batches and videos are operations. The class has fields for both, and the SDK wants an instance of one. */
  const readOperation = async (name: string) => {
    const operation = Object.assign(new sdk.GenerateVideosOperation(), { name });
    return client.operations.getVideosOperation({ operation });
  };
  return {
    get retryAfterMs() {
      return retryAfterMs;
    },
    listBatches: async (pageToken) =>
      call("batches.list", async () => {
        const config = { pageSize: PAGE_SIZE, ...(pageToken !== undefined && { pageToken }) };
        const pager = await client.batches.list({ config });
        const next = pager.params.config?.["pageToken"];
        return {
          batches: pager.page.flatMap((batch) => readBatchJob(batch) ?? []),
          nextPageToken: typeof next === "string" && next !== "" ? next : undefined,
        };
      }),
    read: async (kind, name) => {
      switch (kind) {
        case "batch":
          return call("batches.get", async () => needName(readBatchJob(await client.batches.get({ name }))));
        case "interaction":
          return call("interactions.get", async () =>
            readInteraction(name, await client.interactions.get(name, null, SENT_ONCE)),
          );
        case "video":
          return call("operations.getVideosOperation", async () => readVideo(name, await readOperation(name)));
        default:
          return kind satisfies never;
      }
    },
    readBatchFailure: async (name) => call("operations.get", async () => readBatchFailure(await readOperation(name))),
  };
}

function needName(reading: JobReading | undefined): JobReading {
  if (reading === undefined) throw new Error("the answer has no name");
  return reading;
}
