import { test } from "vitest";

import { until } from "../../../../tests/support/wait.ts";
import { ThreadLoad } from "./thread-load.ts";

test("a thread that works is busy, and one that waits is not", async () => {
  const load = new ThreadLoad();
  await until(() => !load.measureBusy());
  await until(() => {
    const startedAt = performance.now();
    while (performance.now() - startedAt < 100);
    return load.measureBusy();
  });
  await until(() => !load.measureBusy());
});
