// Two developers listen by `sluice listen`, each with a service of their own. The listeners are killed and stopped while events
// come, and one service refuses for a while. Each service must get each event, and the log must show each attempt.

import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";

import { claimPort } from "../support/ports.ts";
import { runSql } from "../support/sql.ts";
import { until } from "../support/wait.ts";
import { type Check, type Fault, LEASE_RECOVER_LIMIT_MS } from "./fault.ts";
import { readReceptions, TAKEN_PATH } from "./receiver.ts";
import { type ReceiverOnStage, startReceiver } from "./receivers.ts";
import type { Stage } from "./stage.ts";

const CLI = fileURLToPath(new URL("../../apps/cli/src/main.ts", import.meta.url));
const EVENTS = 5_000;
const PER_SECOND = 200;
const KILLS = 10;
/** Longer than a lease: what the listener had is in other hands when it goes on, or was delivered again. */
const STOPPED_MS = 120_000;
const REFUSED_MS = 5_000;
const CONCURRENCY = 8;
const DRAIN_LIMIT_MS = 120_000;

interface Listener {
  name: string;
  signal: (signal: NodeJS.Signals) => void;
  service: ReceiverOnStage;
}

async function addListener(stage: Stage, name: string): Promise<Listener> {
  const { directory, launch, api } = stage;
  const target = await api.post("/v1/targets", {
    body: {
      name,
      kind: "pull",
      subscribed_events: ["*"],
      retry: { base_seconds: 0.2, cap_seconds: 2, horizon_seconds: 86_400 },
    },
  });
  const port = await claimPort();
  const service = await startReceiver(directory, launch, { name, secret: target.new_signing_secret ?? "", port });
  return { name, service, signal: startListening(stage, name, `http://127.0.0.1:${port}${TAKEN_PATH}`) };
}

/** Runs `sluice listen`, and starts it again whenever it ends, as its developer would. @returns how to signal it. */
function startListening({ directory, group, access, atEnd }: Stage, name: string, url: string): Listener["signal"] {
  const output = openSync(join(directory, `listen-${name}.log`), "a");
  const args = [CLI, "listen", url, "--name", name, "--concurrency", String(CONCURRENCY)];
  const env = { PATH: process.env["PATH"], HOME: directory, SLUICE_API: access.url, SLUICE_API_KEY: access.key };
  let child: ChildProcess;
  let isOver = false;
  const start = () => {
    child = spawn(process.execPath, args, { env, stdio: ["ignore", output, output] });
    child.once("exit", () => !isOver && start());
  };
  start();
  group.add(() => child.pid, "SIGKILL");
  atEnd(async () => {
    isOver = true;
    child.kill("SIGKILL");
  });
  return (signal) => void child.kill(signal);
}

/** @returns what is wrong with what one listener's service got, when all of it has come. */
async function judgeListener({ postgres }: Stage, { name, service }: Listener, mayRepeat: number): Promise<string[]> {
  const [row] = await runSql(
    postgres.url,
    `SELECT count(*)::int AS owed, count(*) FILTER (WHERE d.status <> 'succeeded')::int AS open,
       (SELECT count(*)::int FROM attempts a JOIN targets t ON t.id = a.target_id WHERE t.name = $1) AS attempts
     FROM deliveries d JOIN targets t ON t.id = d.target_id WHERE t.name = $1`,
    [name],
  );
  const [owed, open, attempts] = [Number(row?.["owed"]), Number(row?.["open"]), Number(row?.["attempts"])];
  const receptions = readReceptions(service.logPath);
  const taken = receptions.filter(({ isTaken }) => isTaken);
  const arrived = new Set(taken.map(({ deliveryId }) => deliveryId)).size;
  const repeated = taken.length - arrived;
  const faults: [boolean, string][] = [
    [owed < EVENTS, `${name} was owed only ${owed} events`],
    [arrived < owed, `${name} lost ${owed - arrived} of ${owed} events`],
    [open > 0, `${open} deliveries of ${name} are not succeeded`],
    [repeated > mayRepeat, `${name} got ${repeated} events twice, and ${mayRepeat} were in flight`],
    // An attempt that a kill cut off is not in the log.
    [
      attempts < receptions.length - mayRepeat,
      `${name} got ${receptions.length} requests, and the log has ${attempts}`,
    ],
    [receptions.some(({ isSigned }) => !isSigned), `${name} got a wrong signature`],
    [!receptions.some(({ mode }) => mode === "503"), `the service of ${name} never refused anything`],
  ];
  return faults.filter(([isBroken]) => isBroken).map(([, text]) => text);
}

const isListening = ({ service }: Listener) => readReceptions(service.logPath).length > 0;

async function injectIntoListeners(stage: Stage): Promise<Check> {
  const { random, sender } = stage;
  const [ada, ben] = [await addListener(stage, "ada"), await addListener(stage, "ben")];
  const before = sender.events.length;
  await Promise.all(
    [ada, ben].map((listener) => until(() => isListening(listener), { what: `${listener.name} to listen` })),
  );

  ben.signal("SIGSTOP");
  const goesOn = delay(STOPPED_MS).then(() => ben.signal("SIGCONT"));
  for (let kill = 0; kill < KILLS; kill++) {
    await delay(random.integer(500, 3_000));
    ada.signal("SIGKILL");
    if (kill === Math.floor(KILLS / 2)) await refuseForAWhile(ada);
  }
  await until(() => sender.events.length >= before + EVENTS, { timeoutMs: 120_000, what: `${EVENTS} events` });
  await goesOn;
  await refuseForAWhile(ben);
  return async (limitFactor) => {
    const isOver = async () => {
      const [row] = await runSql(
        stage.postgres.url,
        "SELECT count(*)::int AS n FROM deliveries WHERE status = 'pending'",
      );
      return row?.["n"] === 0;
    };
    await until(isOver, { timeoutMs: DRAIN_LIMIT_MS * limitFactor, what: "the listeners to have everything" });
    return [
      ...(await judgeListener(stage, ada, KILLS * CONCURRENCY)),
      ...(await judgeListener(stage, ben, CONCURRENCY)),
    ];
  };
}

async function refuseForAWhile({ service }: Listener): Promise<void> {
  await service.setMode("503");
  await delay(REFUSED_MS);
  await service.setMode("ok");
}

export const listenFaults: Fault[] = [
  {
    name: "listeners",
    about:
      "of two `sluice listen`, one is killed ten times and one is stopped for 2 min, and both services answer 503 for a while",
    isLong: true,
    prepare: () => ({ options: { perSecond: PER_SECOND } }),
    inject: injectIntoListeners,
    recoverLimitMs: LEASE_RECOVER_LIMIT_MS,
  },
];
