// Walks the list of a key's batches, the newest first. Most walks end on the first page: below it everything is known and told
// of. Once an hour the walk goes down to the end of the lookback, because lists were seen to leave batches out for a while. A
// long walk is made in parts, and its page token is kept, so that neither a worker's death nor a small budget begins it anew.

import { GeminiFailure } from "@sluice/gemini/failure";
import type { BatchPage } from "@sluice/gemini/jobs";
import { countStaleBatches } from "@sluice/store/upstream/jobs-conclude";
import { noteListedBatches } from "@sluice/store/upstream/jobs-listed";
import { afterList } from "@sluice/store/upstream/jobs-readers";

import { type OpenTurn, listingSourceOf, settingsOf } from "./reconcile-key.ts";

/** The pages of one turn. */
const MAX_PAGES = 25;
/** So few batches that run further down are read one by one (`reconcile-checks.ts`): cheaper than more pages. */
const READ_ALONE = 10;
const FULL_LIST_EVERY_MS = 3_600_000;
/** Lists may use so many of a key's requests: further looks at the list come later when it is long. */
const LISTING_SHARE = 0.5;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Where a walk stands after a page. */
interface Step {
  /** Undefined at the end of the list, or of the lookback. */
  next: string | undefined;
  /** How many batches of the page were new. */
  fresh: number;
  /** Gemini does not take the token of an earlier walk any more. */
  isRefused: boolean;
}

export async function listBatches(turn: OpenTurn): Promise<void> {
  const { key, reader, requests, keep } = turn;
  const owner = listingSourceOf(key);
  if (owner === undefined) return;
  const settings = settingsOf(key);
  const before = requests.count;
  const sourceIds = key.sources.map(({ sourceId }) => sourceId);
  const walk = (token: string | undefined) => walkPage(turn, { sinceMs: sinceOf(turn), sourceIds, token });
  const isSpent = () => requests.count - before >= MAX_PAGES;

  let step = await walk(undefined);
  let isKnownBelow = false;
  while (step.next !== undefined && !isSpent()) {
    // What runs further down is met by the walk that goes on below, or else few enough to be read alone.
    const isMet = async () =>
      reader.pageToken !== null || (await countStaleBatches(turn.db, sourceIds, reader.claimedAt)) <= READ_ALONE;
    isKnownBelow = step.fresh === 0 && (await isMet());
    if (isKnownBelow) break;
    step = await walk(step.next);
  }
  const goesOn = !isKnownBelow || reader.pageToken !== null || reader.isFullListDue;
  // From where the walk of earlier turns stands, unless there is something new above it.
  let token = isKnownBelow && reader.pageToken !== null ? reader.pageToken : step.next;
  if (goesOn) {
    while (token !== undefined && !isSpent()) {
      await keep({ pageToken: token });
      step = await walk(token);
      token = step.next;
    }
  }

  const isWhole = token === undefined && !step.isRefused;
  const walked =
    goesOn && token !== undefined
      ? ({ kind: "unfinished", pageToken: token } as const)
      : ({ kind: isWhole ? "whole" : "known" } as const);
  const pacedMs = ((requests.count - before) * HOUR_MS) / (turn.config.GEMINI_REQUESTS_PER_HOUR * LISTING_SHARE);
  const nextInMs = walked.kind === "unfinished" ? pacedMs : Math.max(settings.everySeconds * 1_000, pacedMs);
  await keep(afterList(reader, walked, { nextInMs, nextFullInMs: FULL_LIST_EVERY_MS }));
}

async function walkPage(
  turn: OpenTurn,
  { sinceMs, sourceIds, token }: { sinceMs: number; sourceIds: string[]; token: string | undefined },
): Promise<Step> {
  const { db, key, keep } = turn;
  const owner = listingSourceOf(key);
  const page = await listPage(turn, token);
  await keep();
  if (page === undefined || owner === undefined) return { next: undefined, fresh: 0, isRefused: true };
  const readings = page.batches.filter(({ startedAtMs = sinceMs }) => startedAtMs >= sinceMs);
  const { everySeconds, graceSeconds } = settingsOf(key);
  const { fresh } = await noteListedBatches(db, {
    readings,
    sourceIds,
    ownerId: owner.sourceId,
    graceMs: graceSeconds * 1_000,
    // Later than the next look at the list, which finds it in most cases.
    againMs: everySeconds * 2_000,
  });
  const isBelow = page.batches.length > 0 && readings.length === 0;
  return { next: isBelow ? undefined : page.nextPageToken, fresh, isRefused: false };
}

/** Undefined when Gemini does not take the token of an earlier walk any more: the walk begins anew with the next turn. */
async function listPage({ gemini }: OpenTurn, token: string | undefined): Promise<BatchPage | undefined> {
  try {
    return await gemini.listBatches(token);
  } catch (error) {
    if (token !== undefined && error instanceof GeminiFailure && error.kind === "refused") return undefined;
    throw error;
  }
}

/** Where the walk ends. The log says which events have come only as far as it is kept; a day is left for the drop. */
function sinceOf({ key, reader, config }: OpenTurn): number {
  const lookback = Date.now() - settingsOf(key).lookbackHours * HOUR_MS;
  const asked = reader.listSince?.getTime() ?? Number.POSITIVE_INFINITY;
  return Math.max(Math.min(lookback, asked), Date.now() - (config.RETENTION_DAYS - 1) * DAY_MS);
}
