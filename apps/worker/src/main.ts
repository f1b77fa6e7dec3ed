// The worker as a process: the only file of this app that reads the environment.

import "@sluice/shared/small-heap";

import { readConfig, workerConfig } from "@sluice/shared/config";
import { openLog } from "@sluice/shared/log";
import { runApp } from "@sluice/shared/process";

import { startWorker } from "./worker.ts";

const log = openLog("worker", process.env["LOG_LEVEL"]);
await runApp(async () => startWorker(readConfig(workerConfig, process.env), log), log);
