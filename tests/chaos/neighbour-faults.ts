// Two relays on one Redis, each with a database of its own: staging and production, or two teams.

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { type Fault, TAKEOVER_LIMIT_MS } from "./fault.ts";
import { startStage } from "./stage.ts";
import { judge, settle } from "./verdict.ts";

const NEIGHBOUR = { perSecond: 100, ofEach: 1 };
const TOGETHER_MS = 6_000;

export const neighbourFaults: Fault[] = [
  {
    name: "second-relay",
    about: "another relay, with its own database and sender, works on the same Redis",
    inject: async ({ directory, group, random, redis, atEnd }) => {
      const neighbour = await startStage(join(directory, "neighbour"), group, random.derive("neighbour"), {
        ...NEIGHBOUR,
        openRedis: async () => ({ ...redis, stop: async () => undefined }),
      });
      atEnd(neighbour.stop);
      await delay(TOGETHER_MS);
      const endedAtMs = Date.now();
      return async (limitFactor) => {
        const account = await settle(neighbour, endedAtMs, {}, limitFactor);
        return judge({}, account, account.unanswered, limitFactor).map((text) => `the second relay: ${text}`);
      };
    },
    recoverLimitMs: TAKEOVER_LIMIT_MS,
  },
];
