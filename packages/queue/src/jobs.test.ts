import { BULLMQ_QUEUES } from "@sluice/store/connection/migrate";
import { expect, test } from "vitest";

import { MAX_STARTS } from "./jobs.ts";

test("the migration makes what BullMQ needs for each queue", () => {
  expect(BULLMQ_QUEUES.toSorted()).toEqual(Object.keys(MAX_STARTS).toSorted());
});
