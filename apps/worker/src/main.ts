// The worker as a process: the only file of this app that reads the environment.

import { openLog } from "@sluice/shared/runtime/log";
import { runApp } from "@sluice/shared/runtime/process";
import { answerVersionFlag } from "@sluice/shared/runtime/version-flag";
import { readConfig } from "@sluice/shared/settings/read-config";

import { workerConfig } from "./worker-config.ts";
import { startWorker } from "./worker.ts";

answerVersionFlag();
const log = openLog("worker", process.env["LOG_LEVEL"]);
await runApp(async () => startWorker(readConfig(workerConfig, process.env), log), log);
