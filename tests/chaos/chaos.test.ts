// The short form of `npm run test:chaos`: a few faults, at a rate that even a busy machine can keep.

import { afterAll, describe, test } from "vitest";

import { openProcessGroup } from "../support/process-group.ts";
import { findRedisServer } from "../support/redis-server.ts";
import { FAULTS } from "./faults.ts";
import { runFault } from "./run.ts";

const OPTIONS = { seed: 1, perSecond: 20, warmUpMs: 1_000, tailMs: 1_500, limitFactor: 4 };
/** The leases of a worker end after 45 s, and a busy machine may be ten times slower than a quiet one. */
const LIMIT_MS = 1_200_000;

const group = openProcessGroup();
afterAll(() => group.remove());

describe.concurrent(
  "every accepted event is delivered once, and no valid event is refused",
  { timeout: LIMIT_MS },
  () => {
    test.for(FAULTS.filter(({ isShort }) => isShort))("$name: $about", async (fault, { expect, skip }) => {
      skip(findRedisServer() === undefined, "no Redis is installed");
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
