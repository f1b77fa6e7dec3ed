// These faults are not faults of a machine, but of its size: thousands of targets, and an operator's script that never
// stops.

import { setTimeout as delay } from "node:timers/promises";

import { formatId } from "@sluice/shared/domain/ids";

import { runSql } from "../support/sql.ts";
import type { Crowd } from "./crowd.ts";
import { type Fault, TAKEOVER_LIMIT_MS } from "./fault.ts";
import { readReceptions } from "./receiver.ts";
import type { Stage, StageOptions } from "./stage.ts";

/** The sender sends no event of this type by itself. */
const CROWD_TYPE = "crowd.called";
const BURST_EVENTS = 5;
/** A common limit of a service. Without a cap of its own, a worker would open more sockets at once. */
const MAX_OPEN_FILES = 1_024;
const CHANGES_PER_SECOND = 30;
/** A busy machine makes fewer changes than it is asked for. With fewer than this share, the fault did not happen. */
const CHANGES_SHARE = 0.7;

function withCrowd(targets: number, options: Partial<StageOptions> = {}): NonNullable<Fault["prepare"]> {
  return () => {
    if (process.platform !== "linux") return "only Linux has a loopback address for each target";
    return { options: { ...options, crowd: { targets, type: CROWD_TYPE } } };
  };
}

function crowdOf({ crowd }: Stage): Crowd {
  if (crowd === undefined) throw new Error("The stage has no crowd");
  return crowd;
}

/** Lists what is wrong with the deliveries of a burst to a crowd. */
async function judgeBurst(stage: Stage): Promise<string[]> {
  const { postgres } = stage;
  const { targets, receiver } = crowdOf(stage);
  const owed = BURST_EVENTS * targets;
  const receptions = readReceptions(receiver.logPath);
  const arrived = new Set(receptions.map(({ deliveryId }) => deliveryId)).size;
  const unsigned = receptions.filter(({ isSigned }) => !isSigned).length;
  const [row] = await runSql(
    postgres.url,
    `SELECT (SELECT count(*)::int FROM target_health WHERE openings > 0 OR failing_since IS NOT NULL) AS opened,
       (SELECT count(*)::int FROM attempts WHERE status_code IS DISTINCT FROM 200) AS failed`,
  );
  const [opened, failed] = [Number(row?.["opened"]), Number(row?.["failed"])];
  const faults: [boolean, string][] = [
    [arrived < owed, `${owed - arrived} of ${owed} deliveries of the burst were lost`],
    // Nothing ended that could have left an attempt without an answer.
    [receptions.length > arrived, `${receptions.length - arrived} deliveries of the burst were repeated`],
    [unsigned > 0, `${unsigned} deliveries of the burst had a wrong signature`],
    [opened > 0, `${opened} targets were blamed`],
    [failed > 0, `${failed} attempts failed`],
  ];
  return faults.filter(([isBroken]) => isBroken).map(([, text]) => text);
}

/** Changes one target after the other, at a steady rate, until it is stopped. */
function startChanging(stage: Stage) {
  const { api } = stage;
  const { ids } = crowdOf(stage);
  const stopping = new AbortController();
  const startedMs = performance.now();
  const underWay = new Set<Promise<void>>();
  const failures: string[] = [];
  let made = 0;
  const change = async (number: number) => {
    const id = formatId("tgt", ids[number % ids.length] ?? "");
    try {
      await api.patch("/v1/targets/{id}", { params: { path: { id } }, body: { name: `changed-${number}` } });
      made += 1;
    } catch (error) {
      failures.push(String(error));
    }
  };
  const loop = async () => {
    for (let number = 0; !stopping.signal.aborted; number++) {
      const dueMs = startedMs + (number * 1_000) / CHANGES_PER_SECOND;
      await delay(Math.max(0, dueMs - performance.now()));
      // The API does not keep up: this change is left out.
      if (underWay.size >= CHANGES_PER_SECOND) continue;
      const changing: Promise<void> = change(number).finally(() => underWay.delete(changing));
      underWay.add(changing);
    }
    await Promise.all(underWay);
  };
  const looping = loop();
  return {
    /** @returns the changes per second, and the errors of those that failed. */
    stop: async () => {
      stopping.abort();
      const seconds = (performance.now() - startedMs) / 1000;
      await looping;
      return { perSecond: made / seconds, failures };
    },
  };
}

export const scaleFaults: Fault[] = [
  {
    name: "configuration-churn",
    about: "one of 1,200 targets is changed 30 times a second, until every event is delivered",
    holdMs: 8_000,
    prepare: withCrowd(1_200),
    inject: async (stage) => {
      const changing = startChanging(stage);
      stage.atEnd(changing.stop);
      return async (limitFactor) => {
        const { perSecond, failures } = await changing.stop();
        const least = (CHANGES_PER_SECOND * CHANGES_SHARE) / limitFactor;
        return [
          ...(perSecond < least ? [`only ${perSecond.toFixed(1)} changes were made per second`] : []),
          ...(failures.length > 0 ? [`${failures.length} changes failed, such as: ${failures[0]}`] : []),
        ];
      };
    },
    recoverLimitMs: TAKEOVER_LIMIT_MS,
  },
  {
    name: "burst-to-2000-targets",
    about: "5 events at once to 2,000 targets, with workers that may open 1,024 files and sockets each",
    prepare: withCrowd(2_000, { maxOpenFiles: MAX_OPEN_FILES }),
    inject: async (stage) => {
      stage.sender.burst(BURST_EVENTS, CROWD_TYPE);
      return () => judgeBurst(stage);
    },
    recoverLimitMs: TAKEOVER_LIMIT_MS,
  },
];
