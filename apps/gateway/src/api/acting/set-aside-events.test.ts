// What is done to set-aside events is in the audit trail before it is done: the queue is in no transaction of PostgreSQL.

import { expect } from "vitest";

import type { SetAsideStore } from "@sluice/queue/queue";
import { listAudit } from "@sluice/store/requests/audit";

import { createTestApi } from "../../../../../tests/support/api/test-api.ts";
import { test } from "../../../../../tests/support/database.ts";

test.for([
  ["POST", "/v1/set-aside-events/redis-1:retry", "set_aside_event.retried"],
  ["POST", "/v1/set-aside-events:retry", "set_aside_event.all_retried"],
  ["DELETE", "/v1/set-aside-events/redis-1", "set_aside_event.discarded"],
] as const)("%s %s acts only after its entry is committed", async ([method, path, action], { database: { db } }) => {
  const entriesAtAct: string[][] = [];
  // Reads the trail on another connection, as whoever looks for what a gateway did before it died.
  const act = async () => {
    const { rows: entries } = await listAudit(db, { action }, { limit: 10 });
    entriesAtAct.push(entries.map((entry) => entry.action));
    return true;
  };
  const job = { id: "1", failedAtMs: 1, data: "{}", error: "", starts: 5 };
  const store: SetAsideStore = {
    store: "redis",
    count: async () => 1,
    positions: async (before) => (before.failedAtMs > job.failedAtMs ? [job] : []),
    read: async () => job,
    retry: act,
    discard: act,
  };
  const api = await createTestApi(db, { setAside: [store] });
  expect(await api.call(method, path)).toMatchObject({ status: 200 });
  expect(entriesAtAct).toEqual([[action]]);
});
