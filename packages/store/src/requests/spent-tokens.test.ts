// A token stays known long after it has expired, because requests that it came with may still wait in a queue.

import { expect } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { makeEvent, newLease } from "../../../../tests/support/seed.ts";
import { readRevision } from "../connection/configuration-revision.ts";
import { storeEvents } from "../delivery/store-events.ts";
import { findSpentToken, pruneSpentTokens } from "./spent-tokens.ts";

const DAY_MS = 86_400_000;

test("pruneSpentTokens keeps a token for seven days after it has expired", async ({ database: { db } }) => {
  const { sourceId } = makeEvent();
  const expired = (days: number) =>
    makeEvent({ sourceId, token: { id: `expired ${days} days ago`, expiresAtMs: Date.now() - days * DAY_MS } });
  const [old, young] = [expired(8), expired(6)];
  const revision = await readRevision(db, "targets");
  await storeEvents(db, revision, [old, young], [], newLease());
  expect(await pruneSpentTokens(db)).toBe(1);
  expect(await findSpentToken(db, sourceId, "expired 8 days ago")).toBeUndefined();
  expect(await findSpentToken(db, sourceId, "expired 6 days ago")).toBe(young.webhookId);
  // Another request with the same token, which was verified in time and had to wait in the queue.
  const late = expired(6);
  const result = await storeEvents(db, revision, [late], [], newLease());
  expect(result).toMatchObject({ kind: "stored", spentEventIds: new Set([late.id]) });
});
