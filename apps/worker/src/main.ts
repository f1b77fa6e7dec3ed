// The worker as a process: the only file of this app that reads the environment.

import "@sluice/shared/runtime/small-heap";

import { setFlagsFromString } from "node:v8";

import { readConfig } from "@sluice/shared/settings/read-config";
import { openLog } from "@sluice/shared/runtime/log";
import { runApp } from "@sluice/shared/runtime/process";

import { workerConfig } from "./worker-config.ts";
import { startWorker } from "./worker.ts";

// Twice what `small-heap.ts` lets it grow: what waits in lanes lives for longer than a request of the gateway, and half
// as many collections of the whole heap take a twentieth less of the processor for 6 MiB.
setFlagsFromString("--heap-growing-percent=100");

const log = openLog("worker", process.env["LOG_LEVEL"]);
await runApp(async () => startWorker(readConfig(workerConfig, process.env), log), log);
