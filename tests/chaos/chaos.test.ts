// The short form of `npm run test:chaos`: a handful of faults at a rate that a busy machine takes too.

import { afterAll, describe, test } from "vitest";

import { findRedisServer } from "../support/redis-server.ts";
import { FAULTS } from "./faults.ts";
import { openProcessGroup } from "../support/process-group.ts";
import { runFault } from "./run.ts";

const OPTIONS = { seed: 1, perSecond: 20, warmUpMs: 1_000, tailMs: 1_500, limitFactor: 4 };
/** A worker's leases run out after 45 s, and everything may be ten times slower than on a quiet machine. */
const LIMIT_MS = 1_200_000;

const group = openProcessGroup();
afterAll(() => group.remove());

describe.concurrent(
  "what was accepted is delivered, once, and no valid event is refused",
  { timeout: LIMIT_MS },
  () => {
    test.for(FAULTS.filter(({ isShort }) => isShort))("$name: $about", async (fault, { expect, skip }) => {
      skip(findRedisServer() === undefined, "there is no Redis");
      const result = await runFault(fault, group, OPTIONS);
      if (result.outcome === "skipped") {
        skip(result.reason);
        return;
      }
      const { broken, directory, account } = result;
      if (broken.length > 0) group.keep();
      expect(broken, `${JSON.stringify(account.reasons)}; logs in ${directory}`).toEqual([]);
    });
  },
);
