// These faults hit the processes of the relay and the targets: they are killed, hung and restarted, and their clock is set.

import { setTimeout as delay } from "node:timers/promises";

import type { Member } from "../support/member.ts";
import { findFaketime } from "./clock.ts";
import { type Fault, LEASE_RECOVER_LIMIT_MS } from "./fault.ts";
import type { Role, Stage } from "./stage.ts";

type Choose = (stage: Stage) => Member;

const aGateway: Choose = ({ victims }) => victims.gateway;
const aWorker: Choose = ({ victims }) => victims.worker;
const HELD_BY_GATEWAY = "requests that the gateway was answering";

function kill(name: string, about: string, choose: Choose, rest: Partial<Fault> = {}): Fault {
  return {
    name,
    about,
    inject: async (stage) => choose(stage).signal("SIGKILL"),
    undo: (stage) => choose(stage).waitUntilReady(),
    ...rest,
  };
}

function hang(name: string, about: string, choose: Choose, holdMs: number, rest: Partial<Fault> = {}): Fault {
  return {
    name,
    about,
    holdMs,
    inject: async (stage) => choose(stage).signal("SIGSTOP"),
    undo: async (stage) => {
      choose(stage).signal("SIGCONT");
      await choose(stage).waitUntilReady();
    },
    ...rest,
  };
}

function stepClock(role: Role, seconds: number): Fault {
  const direction = seconds < 0 ? "back" : "forward";
  return {
    name: `${role}-clock-${direction}`,
    about: `the wall clock of both ${role}s is set ${direction} by ${Math.abs(seconds)} s, and back again`,
    holdMs: 4_000,
    prepare: () => {
      const library = findFaketime();
      return library === undefined ? "libfaketime is not installed" : { options: { clock: { role, library } } };
    },
    inject: async ({ clock }) => clock?.step(seconds),
    undo: async ({ clock }) => clock?.step(0),
  };
}

export const processFaults: Fault[] = [
  kill("gateway-kill", "kill -9 of a gateway", aGateway, { isShort: true, mayCut: HELD_BY_GATEWAY }),
  kill("worker-kill", "kill -9 of a worker", aWorker, { isShort: true, recoverLimitMs: LEASE_RECOVER_LIMIT_MS }),
  {
    name: "workers-kill",
    about: "kill -9 of both workers at once",
    inject: async ({ workers }) => {
      for (const worker of workers) worker.signal("SIGKILL");
    },
    undo: async ({ workers }) => void (await Promise.all(workers.map((worker) => worker.waitUntilReady()))),
    recoverLimitMs: LEASE_RECOVER_LIMIT_MS,
  },
  kill("receiver-kill", "kill -9 of a target", ({ all }) => all),
  hang("gateway-hang", "a gateway is stopped for 5 s and goes on", aGateway, 5_000, {
    mayCut: HELD_BY_GATEWAY,
    mayRefuse: HELD_BY_GATEWAY,
  }),
  hang("worker-hang", "a worker is stopped for 12 s, longer than its lock on a job, and goes on", aWorker, 12_000),
  hang("worker-hang-long", "a worker is stopped for 60 s, longer than its leases, and goes on", aWorker, 60_000),
  hang("receiver-hang", "a target is stopped for 8 s, longer than its deadline, and goes on", ({ all }) => all, 8_000),
  stepClock("gateway", 120),
  stepClock("gateway", -120),
  stepClock("worker", 120),
  stepClock("worker", -120),
  {
    name: "rolling-restart",
    about: "gateways and workers are restarted one after the other, in an orderly way",
    isLong: true,
    mustNotRepeat: "an orderly stop finishes the deliveries in progress",
    inject: async ({ gateways, workers }) => {
      for (const member of [...gateways, ...workers]) {
        await member.restart();
        // A deployment also checks the new process before it restarts the next one.
        await delay(1_000);
      }
    },
  },
];
